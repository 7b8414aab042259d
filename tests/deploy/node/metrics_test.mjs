// Alert rules and dashboard name only metrics, labels and label values that exist.
//   node metrics_test.mjs SOURCE_DIR BIN_DIR LAB WORK_DIR
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import YAML from 'yaml';
import {freshFolder, need, read} from './support.mjs';

const [source, , , workDir] = process.argv.slice(2);
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
    for (const [, label] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)) {
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
console.log(`${rules.length} alerts, ${drawn.length} panel queries, ${names} names`);
