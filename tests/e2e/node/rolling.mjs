// An intake system that spreads its calls over several servers by itself: gRPC's
// client-side balancing (round_robin) and retries, both from one service config.
//   node rolling.mjs HOST:PORT,HOST:PORT CORPUS PROTO_DIR STOP_FILE
// Sends filings one by one and in batches until STOP_FILE exists, and holds every
// verdict against the truth. Ends with 0 if no call failed and no verdict was wrong.
import fs from 'node:fs';
import grpc from '@grpc/grpc-js';
import {checkVerdict, loadApi, readCorpus} from './filings.mjs';

const [targets, corpusFile, protoDir, stopFile] = process.argv.slice(2);

// Verdicts have no side effects, so a call may be made again. UNAVAILABLE is what a
// server says that is full or going away, and what a connection that ends gives.
const SERVICE_CONFIG = {
  loadBalancingConfig: [{round_robin: {}}],
  methodConfig: [{
    name: [{service: 'inkan.v1.VerificationService'}],
    retryPolicy: {
      maxAttempts: 5, initialBackoff: '0.1s', maxBackoff: '2s',
      backoffMultiplier: 2, retryableStatusCodes: ['UNAVAILABLE'],
    },
  }],
};

const api = loadApi(protoDir, ['inkan/v1/verification.proto']);
const client = new api.inkan.v1.VerificationService(
    `ipv4:${targets}`, grpc.credentials.createInsecure(), {
      'grpc.service_config': JSON.stringify(SERVICE_CONFIG),
      // Servers come back sooner than the default of up to two minutes.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1000,
    });

const call = (method, request) => new Promise((resolve, reject) => {
  client[method](request, {deadline: Date.now() + 60_000},
                 (error, response) => error ? reject(error) : resolve(response));
});

const corpus = readCorpus(corpusFile, protoDir);
const WORKERS = 12;
const BATCH = 20;
const REPORT_EVERY = 200;
let next = 0;
let answered = 0;
let failed = 0;
const take = (count) => Array.from(
    {length: count}, () => corpus[next++ % corpus.length]);

async function sendOne() {
  const [entry] = take(1);
  const {verdict} = await call('verify', {filing: entry.filing});
  checkVerdict(entry, verdict);
  return 1;
}

async function sendBatch() {
  const entries = take(BATCH);
  const {verdicts} = await call('batchVerify',
                                {filings: entries.map((e) => e.filing)});
  if (verdicts.length !== entries.length) throw new Error('verdicts are missing');
  entries.forEach((entry, i) => checkVerdict(entry, verdicts[i]));
  return BATCH;
}

async function work(index) {
  while (!fs.existsSync(stopFile)) {
    try {
      const count = await (index % 3 === 0 ? sendBatch() : sendOne());
      const before = Math.floor(answered / REPORT_EVERY);
      answered += count;
      if (Math.floor(answered / REPORT_EVERY) > before) {
        console.log(`answered ${answered}`);
      }
    } catch (error) {
      failed += 1;
      console.log(`FAIL ${error.stack}`);
    }
  }
}

await Promise.all(Array.from({length: WORKERS}, (_, index) => work(index)));
console.log(`${answered} filings answered, ${failed} calls failed`);
process.exit(failed === 0 && answered > 0 ? 0 : 1);
