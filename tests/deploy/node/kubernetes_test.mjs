// The Kubernetes manifests: valid by the API's own schemas, without a field it does
// not know, consistent with each other, within the restricted Pod Security Standard,
// and with a configuration and probes that a real server accepts.
//   node kubernetes_test.mjs SOURCE_DIR BIN_DIR LAB WORK_DIR
import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import YAML from 'yaml';
import {fillConfiguration, freshFolder, read, withServer} from './support.mjs';

const [source, bin, lab, workDir] = process.argv.slice(2);
const work = freshFolder(workDir);

function readManifests() {
  const dir = path.join(source, 'deploy/kubernetes');
  return fs.readdirSync(dir).filter((name) => name.endsWith('.yaml')).flatMap((name) =>
      YAML.parseAllDocuments(read(dir, name)).map((document) => {
        assert.deepEqual([...document.errors, ...document.warnings], [], name);
        return document.toJS();
      }));
}

// Wraps a value so that every field read from it is remembered.
function watched(value, at, seen) {
  if (value === null || typeof value !== 'object') return value;
  return new Proxy(value, {
    get(target, key) {
      if (typeof key === 'string') seen.add(`${at}.${key}`);
      return watched(target[key], `${at}.${String(key)}`, seen);
    },
  });
}

function allFields(value, at) {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(
      ([key, inner]) => [`${at}.${key}`, ...allFields(inner, `${at}.${key}`)]);
}

// A schema lets unknown fields pass, but looks at every field it knows: what it
// never looked at is misspelled.
async function validate(manifest) {
  const name = `${manifest.kind}/${manifest.metadata?.name}`;
  const {[manifest.kind]: Model} =
      await import('kubernetes-models/' + manifest.apiVersion);
  assert.ok(Model, `${name}: no such kind in ${manifest.apiVersion}`);
  const seen = new Set();
  // On the value itself: a Model is a copy, which would have read every field.
  Model.prototype.validate.call(watched(manifest, '', seen));
  for (const field of allFields(manifest, '')) {
    assert.ok(seen.has(field), `${name}: the API has no field ${field}`);
  }
}

const manifests = readManifests();
for (const manifest of manifests) {
  await validate(manifest);
  assert.equal(manifest.metadata.namespace, 'inkan', manifest.metadata.name);
}
// The validation itself can fail.
const spoilt = (spoil) => {
  const copy = structuredClone(manifests.find((m) => m.kind === 'Deployment'));
  spoil(copy.spec.template.spec.containers[0]);
  return validate(copy);
};
await assert.rejects(spoilt((c) => { c.readinessProbe.periodSecond = 1; }), /no field/);
await assert.rejects(spoilt((c) => { c.readinessProbe.periodSeconds = 'soon'; }));

const only = (kind, name) => {
  const found = manifests.filter(
      (m) => m.kind === kind && (name === undefined || m.metadata.name === name));
  assert.equal(found.length, 1, `${kind} ${name ?? ''}`);
  return found[0];
};
const deployment = only('Deployment');
const pod = deployment.spec.template;
const container = pod.spec.containers[0];
const config = only('ConfigMap').data['inkand.textproto'];
const portsByName = new Map(container.ports.map((p) => [p.name, p.containerPort]));

// What selects, selects the pods; what names, names something that is there.
const labels = Object.entries(pod.metadata.labels);
const selects = (selector) => Object.entries(selector).every(
    ([key, value]) => labels.some(([k, v]) => k === key && v === value));
assert.ok(selects(deployment.spec.selector.matchLabels));
for (const service of manifests.filter((m) => m.kind === 'Service')) {
  assert.ok(selects(service.spec.selector), service.metadata.name);
  for (const port of service.spec.ports) assert.ok(portsByName.has(port.targetPort));
}
assert.equal(only('Service', 'inkand-headless').spec.clusterIP, 'None');
assert.ok(selects(only('PodDisruptionBudget').spec.selector.matchLabels));
const policy = only('NetworkPolicy');
assert.ok(selects(policy.spec.podSelector.matchLabels));
for (const {ports} of policy.spec.ingress) {
  for (const {port} of ports) assert.ok(portsByName.has(port), `ingress port ${port}`);
  assert.ok(!ports.some(({port}) => port === 'grpc-ops'));
}
// CRLs come by http, https, ldap and ldaps, and each may leave the pod.
const leaves = policy.spec.egress.flatMap(({ports}) => ports.map(({port}) => port));
for (const port of [53, 80, 443, 389, 636]) assert.ok(leaves.includes(port), `egress ${port}`);
const scaler = only('HorizontalPodAutoscaler');
assert.equal(scaler.spec.scaleTargetRef.name, deployment.metadata.name);
assert.equal(deployment.spec.replicas, undefined, 'the autoscaler decides');
assert.ok(scaler.spec.minReplicas > only('PodDisruptionBudget').spec.maxUnavailable);
for (const spread of pod.spec.topologySpreadConstraints) {
  assert.ok(selects(spread.labelSelector.matchLabels));
}
assert.equal(Number(pod.metadata.annotations['prometheus.io/port']),
             portsByName.get('metrics'));

// The restricted Pod Security Standard, and a root that cannot be written to.
assert.equal(pod.spec.securityContext.runAsNonRoot, true);
assert.equal(pod.spec.securityContext.seccompProfile.type, 'RuntimeDefault');
assert.equal(container.securityContext.allowPrivilegeEscalation, false);
assert.deepEqual(container.securityContext.capabilities, {drop: ['ALL']});
assert.equal(container.securityContext.readOnlyRootFilesystem, true);
assert.equal(pod.spec.automountServiceAccountToken, false);
assert.ok(container.resources.limits.memory && container.resources.requests.memory);

// Times and sizes fit together.
const drainSeconds = Number(/drain_timeout \{ seconds: (\d+) \}/.exec(config)[1]);
assert.ok(pod.spec.terminationGracePeriodSeconds >
          container.lifecycle.preStop.sleep.seconds + drainSeconds);
assert.equal(/worker_threads: (\d+)/.exec(config)[1], container.resources.requests.cpu);

// The configuration, with the files the volume puts beside it.
const folder = path.join(work, 'etc');
fillConfiguration(source, lab, folder);
const volume = pod.spec.volumes.find((v) => v.name === 'config').projected;
const there = volume.sources.flatMap(
    (s) => (s.configMap ?? s.secret).items.map((item) => item.path));
for (const [, file] of config.matchAll(/"((?:tls|anchors)\/[^"]*)"/g)) {
  assert.ok(there.includes(file), `${file} is in no volume`);
  assert.ok(fs.existsSync(path.join(folder, file)));
}
const state = path.join(work, 'state');
for (const [, dir] of config.matchAll(/"(\/var\/lib\/inkan[^"]*)"/g)) {
  assert.ok(container.volumeMounts.some((m) => dir.startsWith(m.mountPath)), dir);
  fs.mkdirSync(dir.replace('/var/lib/inkan', state), {recursive: true});
}
const configFile = path.join(folder, 'inkand.textproto');
const local = config.replaceAll('/var/lib/inkan', state)
    .replaceAll(/"0\.0\.0\.0:\d+"/g, '"127.0.0.1:0"');
fs.writeFileSync(configFile, local);
// Looks at everything, and fetches nothing.
execFileSync(path.join(bin, 'inkand'), ['--check-config', '--config', configFile]);
// To run it, the lab's CRLs take the place of the publisher's. Two of each profile's
// are stale on purpose, for filings that get TRY_LATER.
const served = local.replace(/crl_sources \{\n\s*http \{[\s\S]*?\}\n\s*\}/,
                             `crl_sources { directory: "${lab}/crls" }`)
    .replaceAll('fresh_partitions_min: 1', 'fresh_partitions_min: 1 stale_partitions_max: 2');
assert.notEqual(served, local);
fs.writeFileSync(configFile, served);

// The probes, against a server: each asks for a service that exists and serves.
await withServer(bin, configFile, work, ([, operations]) => {
  for (const name of ['startupProbe', 'readinessProbe', 'livenessProbe']) {
    const probe = container[name].grpc;
    assert.equal(probe.port, portsByName.get('grpc-ops'), name);
    const ask = (service) => execFileSync(path.join(bin, 'inkan'), [
      'health', '--target', `127.0.0.1:${operations}`, '--plaintext', '--timeout', '30',
      '--service', service], {stdio: 'pipe'});
    ask(probe.service);
    assert.throws(() => ask(probe.service + 'x'), name);
  }
});
console.log(`${manifests.length} manifests are well`);
