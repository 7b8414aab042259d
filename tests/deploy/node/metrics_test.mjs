// Alert rules and dashboard name only metrics and labels that exist, and of labels whose
// values are the server's own only values that it knows.
//   node metrics_test.mjs SOURCE_DIR BIN_DIR LAB WORK_DIR
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import YAML from 'yaml';
import {fillConfiguration, freshFolder, need, read, withServer} from './support.mjs';

const [source, bin, lab, workDir] = process.argv.slice(2);
const promtool = need('promtool', 'prometheus');

// promtool: the rules parse, each fires on what it is for, none on a healthy server.
const work = freshFolder(workDir);
for (const file of ['deploy/prometheus/alerts.yaml', 'tests/deploy/alerts_test.yaml']) {
  fs.copyFileSync(path.join(source, file), path.join(work, path.basename(file)));
}
for (const args of [['check', 'rules', 'alerts.yaml'],
                    ['test', 'rules', 'alerts_test.yaml']]) {
  execFileSync(promtool, args, {cwd: work, stdio: ['ignore', 'pipe', 'inherit']});
}
const rules = YAML.parse(read(work, 'alerts.yaml')).groups.flatMap((g) => g.rules);
const tests = YAML.parse(read(work, 'alerts_test.yaml')).tests
    .flatMap((t) => t.alert_rule_test);
for (const {alert} of rules) {
  for (const fires of [true, false]) {
    assert.ok(tests.some((t) => t.alertname === alert &&
                                (t.exp_alerts.length > 0) === fires),
              `${alert}: no test in which it ${fires ? 'fires' : 'is silent'}`);
  }
}

// Every PromQL expression of the dashboard, its variables replaced.
function expressionsOf(value) {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(
      ([key, inner]) => key === 'expr' ? [inner] : expressionsOf(inner));
}
const dashboard = JSON.parse(read(source, 'deploy/grafana/dashboard.json'));
const ids = dashboard.panels.map((p) => p.id);
assert.equal(new Set(ids).size, ids.length, 'panel ids are unique');
const drawn = expressionsOf(dashboard)
    .map((e) => e.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, 'x'));
assert.ok(drawn.length > 30);
// promtool parses them as rules.
fs.writeFileSync(path.join(work, 'dashboard.yaml'), YAML.stringify({groups: [
  {name: 'dashboard', rules: drawn.map((expr, i) => ({record: `panel:${i}`, expr}))}]}));
execFileSync(promtool, ['check', 'rules', 'dashboard.yaml'],
             {cwd: work, stdio: ['ignore', 'pipe', 'inherit']});
const variables = dashboard.templating.list.filter((v) => v.type === 'query')
    .map((v) => /^label_values\((.*), \w+\)$/.exec(v.definition)[1]);

// The names: of docs/METRICS.md, which lists what the server's own table does.
const listed = new Map();
for (const line of read(source, 'docs/METRICS.md').split('\n')) {
  const cells = line.split('|').map((cell) => cell.trim());
  const name = cells.map((c) => /^`((?:inkan|grpc_server|process)_\w+)`$/.exec(c)?.[1])
      .find((n) => n !== undefined);
  if (name !== undefined) listed.set(name, {line, histogram: /histogram/i.test(line)});
}
assert.ok(listed.size > 40);
const table = read(source, 'server/metrics_list.h').replaceAll('\\\n', ' ')
    .matchAll(/V\(k\w+,\s*(\w+),\s*"([^"]*)",\s*"([^"]*)",\s*((?:"[^"]*"\s*)+)\)/g);
const rows = [...table].map(([, type, name, labels, help]) => [
  '', `\`${name}\``, type.toLowerCase(), labels.replaceAll(',', ', '),
  [...help.matchAll(/"([^"]*)"/g)].map((m) => m[1]).join(''), '']);
assert.deepEqual([...listed.values()].map(({line}) => line.split('|').map((c) => c.trim())),
                 rows, 'docs/METRICS.md and server/metrics_list.h');

// The values: what a server with everything on exposes, though all of it is 0 yet, and
// of what comes with the first call or verdict the names in code and contract.
const values = new Map();
function addValue(label, value) {
  if (!values.has(label)) values.set(label, new Set());
  values.get(label).add(value);
}
const etc = path.join(work, 'etc');
fs.mkdirSync(path.join(work, 'crls'), {recursive: true});
fillConfiguration(source, lab, etc);
fs.writeFileSync(
    path.join(etc, 'inkand.textproto'),
    read(source, 'deploy/config/inkand.textproto')
        .replaceAll(/"\/var\/l(ib|og)\/inkan\//g, `"${work}/`)
        .replaceAll(/"(0\.0\.0\.0|127\.0\.0\.1):\d+"/g, '"127.0.0.1:0"'));
await withServer(bin, path.join(etc, 'inkand.textproto'), work, async (ports) => {
  const answer = await fetch(`http://127.0.0.1:${ports[2]}/metrics`);
  for (const [, labels] of (await answer.text()).matchAll(/^\w+\{(.*)\} \S+$/gm)) {
    for (const [, label, value] of labels.matchAll(/(\w+)="([^"]*)"/g)) {
      if (['reason', 'lane', 'listener', 'result', 'class'].includes(label)) {
        addValue(label, value);
      }
    }
  }
});
const codes = /kNames\[kRpcCodes\] = \{([^}]*)\}/.exec(read(source, 'server/metrics_rpc.cc'))[1];
for (const [, code] of codes.matchAll(/"(\w+)"/g)) addValue('grpc_code', code);
const contract = read(source, 'proto/inkan/v1/verification.proto');
for (const label of ['indication', 'sub_indication']) {
  const names = new RegExp(`^  ${label.toUpperCase()}_(\\w+) = [1-9]`, 'gm');
  for (const [, name] of contract.matchAll(names)) addValue(label, name);
}
for (const label of ['reason', 'lane', 'listener', 'result', 'class', 'grpc_code',
                     'indication', 'sub_indication']) {
  assert.ok(values.get(label)?.size > 1, `no values of ${label}: this test is blind`);
}
// METRICS.md lists the same reasons.
const said = /`reason` of a rejected filing:([^.]*)\./.exec(read(source, 'docs/METRICS.md'))[1];
assert.deepEqual([...said.matchAll(/`(\w+)`/g)].map((m) => m[1]).sort(),
                 [...values.get('reason')].sort(), 'reasons in docs/METRICS.md');

// Each alternative of a matcher has to match something; a label without a list of values
// may have any.
function checkValue(label, operator, value, where) {
  const known = values.get(label);
  if (known === undefined) return;
  for (const part of operator.endsWith('~') ? value.split('|') : [value]) {
    const pattern = operator.endsWith('~') ? new RegExp(`^(?:${part})$`) : null;
    assert.ok([...known].some((v) => pattern === null ? v === part : pattern.test(v)),
              `${where}: no ${label} is "${part}"; there are ${[...known].join(', ')}`);
  }
}

function checkNames(expression, where) {
  const names = [...expression.replaceAll(/"[^"]*"/g, '""')
      .matchAll(/\b((?:inkan|grpc_server|process)_\w+)\b/g)].map((m) => m[1]);
  for (const name of names) {
    const base = name.replace(/_(bucket|sum|count)$/, '');
    assert.ok(listed.has(name) || listed.get(base)?.histogram,
              `${where}: the server has no metric ${name}`);
  }
  for (const [, name, matchers] of expression.matchAll(/\b(\w+)\{([^}]*)\}/g)) {
    const {line} = listed.get(name) ?? listed.get(name.replace(/_(bucket|sum|count)$/, '')) ??
        {line: ''};
    for (const [, label, operator, value] of
         matchers.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)) {
      checkValue(label, operator, value, where);
      assert.ok(['job', 'instance', 'le'].includes(label) ||
                new RegExp(`\\b${label}\\b`).test(line),
                `${where}: ${name} has no label ${label}`);
    }
  }
  return names.length;
}
let names = 0;
for (const {alert, expr} of rules) names += checkNames(expr, alert);
for (const expr of [...drawn, ...variables]) names += checkNames(expr, 'dashboard');
assert.throws(() => checkNames('rate(inkan_nothing_total[5m])', 'this test'));
assert.throws(() => checkNames('inkan_serving{profile="p"}', 'this test'));
checkNames('inkan_queue_filings{lane=~"batch|str.*"}', 'this test');
for (const matcher of ['lane="bulk"', 'lane!="bulk"', 'lane=~"batch|bulk"']) {
  assert.throws(() => checkNames(`inkan_queue_filings{${matcher}}`, 'this test'));
}
console.log(`${rules.length} alerts, ${drawn.length} panel queries, ${names} names`);
