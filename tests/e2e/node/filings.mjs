// What the foreign clients share: the contract's definitions, the corpus, and the
// comparison of a verdict with the truth.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';
import protobuf from 'protobufjs';

export function loadApi(protoDir, files, ...includeDirs) {
  return grpc.loadPackageDefinition(protoLoader.loadSync(files, {
    keepCase: false, longs: String, enums: String, defaults: true, oneofs: true,
    includeDirs: [protoDir, ...includeDirs],
  }));
}

export function readCorpus(corpusFile, protoDir) {
  const root = new protobuf.Root();
  root.resolvePath = (origin, name) =>
      name.startsWith('google/protobuf/') || path.isAbsolute(name) ?
      name : path.join(protoDir, name);
  root.loadSync(path.join(protoDir, 'inkan/lab/v1/corpus.proto'));
  const type = root.lookupType('inkan.lab.v1.CorpusEntry');
  const reader = protobuf.Reader.create(fs.readFileSync(corpusFile));
  const entries = [];
  while (reader.pos < reader.len) {
    entries.push(type.toObject(
        type.decodeDelimited(reader),
        {longs: String, enums: String, defaults: false}));
  }
  return entries;
}

export function checkVerdict(entry, verdict) {
  assert.equal(verdict.filingId, entry.filing.filingId ?? '');
  assert.equal(verdict.indication, entry.truth.indication,
               `${entry.truth.kind}: ${verdict.diagnostic}`);
  assert.equal(verdict.subIndication,
               entry.truth.subIndication ?? 'SUB_INDICATION_UNSPECIFIED',
               `${entry.truth.kind}: ${verdict.diagnostic}`);
}
