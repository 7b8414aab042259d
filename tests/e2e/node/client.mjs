// A foreign client: Node.js with @grpc/grpc-js, sharing nothing with the server
// but the .proto files.
//   node client.mjs HOST:PORT CORPUS PROTO_DIR HEALTH_PROTO_DIR
// Verifies filings of every kind in every call style, compares each verdict with
// the corpus's truth, asks health both ways, and provokes the request errors.
import assert from 'node:assert/strict';
import grpc from '@grpc/grpc-js';
import {checkVerdict, loadApi, readCorpus} from './filings.mjs';

const [target, corpusFile, protoDir, healthDir] = process.argv.slice(2);
const api = loadApi(protoDir, ['inkan/v1/verification.proto',
                               'inkan/v1/operations.proto',
                               'grpc/health/v1/health.proto'], healthDir);
const credentials = grpc.credentials.createInsecure();
const verification = new api.inkan.v1.VerificationService(target, credentials);
const operations = new api.inkan.v1.OperationsService(target, credentials);
const health = new api.grpc.health.v1.Health(target, credentials);

const call = (client, method, request) => new Promise((resolve, reject) => {
  client[method](request, {deadline: Date.now() + 30_000},
                 (error, response) => error ? reject(error) : resolve(response));
});

function sampleOfEveryKind(corpus, perKind) {
  const taken = new Map();
  return corpus.filter(({truth}) => {
    const count = taken.get(truth.kind) ?? 0;
    taken.set(truth.kind, count + 1);
    return count < perKind;
  });
}

const tests = {
  async 'unary calls give the true verdict for every kind'(corpus) {
    const sample = sampleOfEveryKind(corpus, 3);
    assert(new Set(sample.map((e) => e.truth.kind)).size >= 20);
    await Promise.all(sample.map(async (entry) => {
      const {verdict} = await call(verification, 'verify', {filing: entry.filing});
      checkVerdict(entry, verdict);
    }));
  },

  async 'batches keep the order of the filings'(corpus) {
    const sample = corpus.slice(0, 500);
    const {verdicts} = await call(verification, 'batchVerify',
                                  {filings: sample.map((e) => e.filing)});
    assert.equal(verdicts.length, sample.length);
    sample.forEach((entry, i) => checkVerdict(entry, verdicts[i]));
  },

  async 'a stream answers every message once and in order'(corpus) {
    const messages = [];
    for (let i = 0; i + 40 <= Math.min(corpus.length, 800); i += 40) {
      messages.push(corpus.slice(i, i + 40));
    }
    const stream = verification.streamVerify();
    let answered = 0;
    const done = new Promise((resolve, reject) => {
      stream.on('data', (response) => {
        try {
          assert.equal(response.sequence, String(1000 + answered));
          messages[answered].forEach(
              (entry, i) => checkVerdict(entry, response.verdicts[i]));
          answered += 1;
        } catch (error) {
          reject(error);
        }
      });
      stream.on('error', reject);
      stream.on('end', resolve);
    });
    messages.forEach((entries, i) => stream.write(
        {filings: entries.map((e) => e.filing), sequence: 1000 + i}));
    stream.end();
    await done;
    assert.equal(answered, messages.length);
  },

  async 'checks are listed when asked for'(corpus) {
    const entry = corpus.find((e) => e.truth.kind === 'good');
    const {verdict} = await call(verification, 'verify',
                                 {filing: entry.filing, wantChecks: true});
    const names = verdict.checks.map((check) => check.name);
    for (const name of ['certificate_signature', 'validity', 'revocation',
                        'filing_signature']) {
      assert(names.includes(name), name);
    }
    assert(verdict.checks.every((c) => c.result === 'CHECK_RESULT_PASSED'));
  },

  async 'a certificate can be checked alone'(corpus) {
    const {filing} = corpus.find((e) => e.truth.kind === 'good_authentication');
    const {verdict} = await call(verification, 'checkCertificate', {
      requestId: 'login-1', profile: filing.profile,
      certificate: filing.certificate, verificationTime: filing.verificationTime,
    });
    assert.equal(verdict.filingId, 'login-1');
    assert.equal(verdict.indication, 'INDICATION_TOTAL_PASSED');
    assert.equal(verdict.revocation.status, 'REVOCATION_STATUS_GOOD');
  },

  async 'an empty batch is refused by name'() {
    await assert.rejects(call(verification, 'batchVerify', {filings: []}),
                         (error) => {
                           assert.equal(error.code, grpc.status.INVALID_ARGUMENT);
                           assert.match(error.details, /filings/);
                           const details = error.metadata.get('grpc-status-details-bin');
                           assert.equal(details.length, 1);
                           assert(details[0].includes('google.rpc.ErrorInfo'));
                           assert(details[0].includes('google.rpc.BadRequest'));
                           return true;
                         });
  },

  async 'health can be checked and watched'() {
    const service = 'inkan.v1.VerificationService';
    assert.equal((await call(health, 'check', {service})).status, 'SERVING');
    const watch = health.watch({service});
    const status = await new Promise((resolve, reject) => {
      watch.on('data', (response) => resolve(response.status));
      watch.on('error', reject);
    });
    watch.on('error', () => {});
    watch.cancel();
    assert.equal(status, 'SERVING');
  },

  async 'the status names kernel, profiles and CRLs'() {
    const status = await call(operations, 'getStatus', {});
    assert.match(status.build.rsaKernel, /^(portable|avx2|avx512ifma)$/);
    assert(status.profiles.some((p) => p.name === 'jpki-signature'));
    assert(status.partitions.length > 0);
    assert.equal(status.serving, true);
  },
};

const corpus = readCorpus(corpusFile, protoDir);
let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test(corpus);
    console.log(`ok   ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${error.stack}`);
  }
}
console.log(`${Object.keys(tests).length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
