// README, CHANGELOG and docs/: every relative link leads to a file, every anchor to
// a heading; every alert has its section in the runbook, saying what it means, why
// it comes and what to do.
//   node documents_test.mjs SOURCE_DIR
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import YAML from 'yaml';
import {read} from './support.mjs';

const [source] = process.argv.slice(2);

// Headings as GitHub names them.
function anchorsOf(file) {
  const text = read(file).replaceAll(/^```[\s\S]*?^```/gm, '');
  return new Set([...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading.trim().toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
          .replaceAll(/\s/g, '-')));
}

const documents = ['README.md', 'CHANGELOG.md',
                   ...fs.readdirSync(path.join(source, 'docs')).map((f) => 'docs/' + f)]
    .filter((f) => f.endsWith('.md'));
let links = 0;
for (const document of documents) {
  for (const [, target] of read(source, document).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [file, anchor] = target.split('#');
    const to = file === '' ? path.join(source, document) :
        path.join(source, path.dirname(document), file);
    assert.ok(fs.existsSync(to), `${document}: ${target} leads nowhere`);
    if (anchor !== undefined) {
      assert.ok(anchorsOf(to).has(anchor), `${document}: ${target}: no such heading`);
    }
    links++;
  }
}

const runbook = path.join(source, 'docs/OPERATIONS.md');
const anchors = anchorsOf(runbook);
const rules = YAML.parse(read(source, 'deploy/prometheus/alerts.yaml'))
    .groups.flatMap((g) => g.rules);
for (const {alert, annotations, labels} of rules) {
  assert.equal(annotations.runbook, 'OPERATIONS.md#' + alert.toLowerCase());
  assert.ok(anchors.has(alert.toLowerCase()), `the runbook has no section ${alert}`);
  assert.match(labels.severity, /^(page|ticket|info)$/);
  const section = read(runbook).split(`# ${alert}\n`)[1].split(/^#/m)[0];
  for (const part of ['Means', 'Likely', 'Do']) {
    assert.match(section, new RegExp(`\\*\\*${part}:\\*\\*`), `${alert}: no "${part}"`);
  }
}
// And no section for an alert that is gone.
for (const [, heading] of read(runbook).matchAll(/^#+ (Inkan[A-Z]\w+)$/gm)) {
  assert.ok(rules.some((r) => r.alert === heading), `no alert ${heading}`);
}
console.log(`${documents.length} documents, ${links} links, ${rules.length} alerts`);
