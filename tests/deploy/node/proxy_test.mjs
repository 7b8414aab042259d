// The proxies' example configurations: HAProxy's is read by HAProxy; Envoy's is
// YAML whose references lead somewhere and whose types are spelled as Envoy's API.
//   node proxy_test.mjs SOURCE_DIR WORK_DIR
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import YAML from 'yaml';
import {freshFolder, need, read} from './support.mjs';

const [source, workDir] = process.argv.slice(2);
const work = freshFolder(workDir);
const haproxy = need('haproxy', 'haproxy');
const proxy = path.join(source, 'deploy/proxy');

execFileSync('bash', ['-euc', '. "$0/tests/deploy/lib.sh"; make_tls "$1"', source, work]);
const tls = (name) => path.join(work, name);
fs.writeFileSync(tls('proxy.pem'), read(work, 'server.pem') + read(work, 'server.key'));
fs.copyFileSync(tls('client-ca.pem'), tls('server-ca.pem'));
const config = read(proxy, 'haproxy.cfg');
const check = (text) => {
  fs.writeFileSync(path.join(work, 'haproxy.cfg'),
                   text.replaceAll('/etc/haproxy/inkan', work));
  return execFileSync(haproxy, ['-c', '-f', path.join(work, 'haproxy.cfg')],
                      {stdio: 'pipe'});
};
check(config);
assert.throws(() => check(config.replace('balance leastconn', 'balance by-guess')));

const envoy = YAML.parseDocument(read(proxy, 'envoy.yaml'));
assert.deepEqual([...envoy.errors, ...envoy.warnings], []);
const {listeners, clusters} = envoy.toJS().static_resources;
const names = new Set(clusters.map((c) => c.name));
const visit = (value, use) => {
  if (value === null || typeof value !== 'object') return;
  for (const [key, inner] of Object.entries(value)) {
    use(key, inner);
    visit(inner, use);
  }
};
let types = 0;
visit({listeners, clusters}, (key, value) => {
  if (key === '@type') {
    assert.match(value, /^type\.googleapis\.com\/envoy\.[a-z0-9_.]+\.v3\.[A-Z]\w+$/);
    types++;
  }
  if (key === 'cluster') assert.ok(names.has(value), value);
});
assert.ok(types >= 5);
for (const {name, load_assignment, health_checks} of clusters) {
  assert.equal(load_assignment.cluster_name, name);
  assert.equal(health_checks[0].grpc_health_check.service_name,
               'inkan.v1.VerificationService');
}
// A refusal for overload is not answered by asking again at once.
visit({listeners}, (key, value) => {
  if (key === 'retry_on') assert.ok(!value.split(',').includes('unavailable'), value);
});
// Operations stay out of intake clients' reach.
const routes = JSON.stringify(listeners);
assert.ok(routes.includes('/inkan.v1.VerificationService/'));
assert.ok(!routes.includes('OperationsService'));
console.log('both proxies are well');
