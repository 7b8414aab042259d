// The container image, as far as it can be held against the truth without a
// container engine: the Dockerfile's instructions, its package list against ./dev's,
// and the root file system its last stage copies, assembled and run from.
//   node container_test.mjs SOURCE_DIR BIN_DIR LAB WORK_DIR
import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {fillConfiguration, freshFolder, read} from './support.mjs';

const [source, bin, lab, workDir] = process.argv.slice(2);
const work = freshFolder(workDir);
const container = path.join(source, 'deploy/container');

// Instructions, line continuations joined, by stage.
const stages = [];
for (const line of read(container, 'Dockerfile').replaceAll(/^\s*#.*\n/gm, '')
         .replaceAll(/\\\n\s*/g, '').split('\n').filter((l) => l.trim() !== '')) {
  const [, word, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? assert.fail(line);
  if (word === 'FROM') stages.push([]);
  stages.at(-1)?.push({word, rest});
}
assert.equal(stages.length, 3);
const all = stages.flat();
const last = (word) => stages.at(-1).filter((i) => i.word === word).map((i) => i.rest);
assert.deepEqual(last('FROM'), ['scratch'], 'no shell at run time');
assert.deepEqual(last('RUN'), []);
assert.match(last('USER')[0], /^[1-9]\d*:[1-9]\d*$/, 'a number, so that runAsNonRoot can tell');
assert.ok(!all.some((i) => i.word === 'ADD'));
const exec = (text) => JSON.parse(text.slice(text.indexOf('[')));
const entrypoint = exec(last('ENTRYPOINT')[0]);
const command = exec(last('CMD')[0]);
const health = exec(last('HEALTHCHECK')[0]);
assert.match(last('LABEL')[0], /image\.licenses="Apache-2\.0"/);
const version = /VERSION (\d+\.\d+\.\d+)/.exec(read(source, 'CMakeLists.txt'))[1];
assert.ok(last('ARG').includes(`VERSION=${version}`));
assert.ok(read(source, 'deploy/debian/changelog').startsWith(`inkan (${version}-1) `));

// Every package a stage installs is one ./dev installs (or brings with it).
const known = new Set(/PACKAGES=\(([\s\S]*?)\n\)/.exec(read(source, 'dev'))[1]
    .replaceAll(/#.*/g, '').split(/\s+/));
const installed = all.filter((i) => i.word === 'RUN').flatMap(
    (i) => /install -y --no-install-recommends ([^&]*)&&/.exec(i.rest)?.[1].split(/\s+/) ?? [])
    .filter((p) => p !== '' && !p.startsWith('/'));
for (const name of installed) assert.ok(known.has(name), `./dev does not know ${name}`);
// And every library ./dev installs to build with is there.
for (const name of known) {
  if (/^lib.*-dev$|^protobuf|-dev$/.test(name) && !/^libclang|^dpkg/.test(name)) {
    assert.ok(installed.includes(name), `the image is built without ${name}`);
  }
}
// CPack asks `file` which files are programs, to find the libraries they need.
if (/^set\(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON\)$/m.test(read(source, 'deploy/CMakeLists.txt'))) {
  for (const name of ['dpkg-dev', 'file']) {
    assert.ok(installed.includes(name), `cpack fails without ${name}`);
  }
}
// What is copied from the context is let in by the ignore file.
const letIn = read(container, 'Dockerfile.dockerignore').split('\n')
    .filter((l) => l.startsWith('!')).map((l) => l.slice(1));
for (const name of letIn) assert.ok(fs.existsSync(path.join(source, name)), name);
const folders = /foreach\(inkan_dir ([^)]*)\)/.exec(read(source, 'CMakeLists.txt'))[1];
for (const name of folders.split(' ').filter((f) => f !== 'tests')) {
  assert.ok(letIn.includes(name), `${name} is not copied into the build`);
}

// With the command of the runbook, the root cannot be written to: whatever the example
// configuration writes or reads is in a volume, and what it writes in a writable one.
const run = /^ {4}docker run [\s\S]*?[^\\]\n/m.exec(read(source, 'docs/OPERATIONS.md'))[0];
assert.match(run, /--read-only/);
const volumes = [...run.matchAll(/-v \S+?:(\/[^\s:]+)(:ro)?(?=\s)/g)]
    .map(([, at, readOnly]) => ({at, writable: readOnly === undefined}));
const example = read(source, 'deploy/config/inkand.textproto');
const writes = [...example.matchAll(/^\s*(?:file|state_directory): "(\/[^"]*)"/gm)]
    .map(([, file]) => file);
assert.equal(writes.length, 2, 'state_directory and audit_log');
for (const [, file] of example.matchAll(/"(\/[^"]*)"/g)) {
  assert.ok(volumes.some(({at, writable}) => file.startsWith(at + '/') &&
                         (writable || !writes.includes(file))),
            `docker run of the runbook has no volume for ${file}`);
}

// The root file system.
const root = path.join(work, 'image');
execFileSync(path.join(container, 'assemble_root.sh'),
             [root, path.join(bin, 'inkand'), path.join(bin, 'inkan')]);
for (const file of ['bin/sh', 'usr/bin/sh', 'bin/bash', 'usr/bin/apt-get']) {
  assert.ok(!fs.existsSync(path.join(root, file)), file);
}
for (const name of ['libc6', 'libc-ares2', 'libssl3']) {
  assert.ok(fs.existsSync(path.join(root, 'usr/share/doc', name, 'copyright')), name);
  assert.match(read(root, 'var/lib/dpkg/status.d', name), /^Version: /m);
}
for (const name of ['libgrpc-dev', 'libprotobuf-dev', 'libabsl-dev']) {  // built in
  assert.ok(fs.existsSync(path.join(root, 'usr/share/doc', name, 'copyright')), name);
}
// The loader of the image, allowed to look only into the image.
const libraryPath = ['lib', 'usr/lib'].flatMap((d) => [d, d + '/x86_64-linux-gnu'])
    .map((d) => path.join(root, d)).join(':');
const loader = [path.join(root, 'lib64/ld-linux-x86-64.so.2'), '--inhibit-cache',
                '--library-path', libraryPath];
const inImage = (program) => path.join(root, program);
for (const program of [entrypoint[0], health[0]]) {
  const listed = execFileSync(loader[0], [...loader.slice(1), '--list', inImage(program)],
                              {encoding: 'utf8'});
  for (const [, at] of listed.matchAll(/=> (\S+)/g)) {
    assert.ok(at.startsWith(root), `${program} needs ${at}, which is not in the image`);
  }
}

// As the image runs: its user, its command line, its health check; only the port
// numbers differ. Changing root is for root; else the image's loader has to do.
const chroot = process.getuid() === 0;
const inside = (args) => chroot ?
    ['chroot', ['--userspec=' + last('USER')[0], root, ...args]] :
    [loader[0], [...loader.slice(1), inImage(args[0]), ...args.slice(1)]];
const version_line = execFileSync(...inside([entrypoint[0], '--version']), {encoding: 'utf8'});
assert.match(version_line, new RegExp(`^inkand ${version.replaceAll('.', '\\.')} `));
if (chroot) {
  const folder = path.join(root, 'etc/inkan');
  fillConfiguration(source, lab, folder);
  execFileSync('chmod', ['-R', 'a+rX', folder]);
  fs.writeFileSync(path.join(folder, 'inkand.textproto'),
                   read(source, 'deploy/config/inkand.textproto')
                       .replaceAll(/"(?:0\.0\.0\.0|127\.0\.0\.1):\d+"/g, '"127.0.0.1:0"'));
  const state = path.join(root, 'var/lib/inkan');
  for (const crl of fs.readdirSync(path.join(lab, 'crls'))) {
    fs.copyFileSync(path.join(lab, 'crls', crl), path.join(state, 'crls', crl));
  }
  const log = fs.openSync(path.join(work, 'inkand.log'), 'w');
  const [program, args] =
      inside([...entrypoint, ...command, '--port-file', '/var/lib/inkan/port']);
  const server = spawn(program, args, {stdio: ['ignore', log, log]});
  const ended = new Promise((resolve) => server.on('exit', resolve));
  try {
    for (const end = Date.now() + 60_000; !fs.existsSync(path.join(state, 'port'));) {
      assert.ok(server.exitCode === null && Date.now() < end,
                read(work, 'inkand.log'));
      await sleep(50);
    }
    const operations = read(state, 'port').split('\n')[1];
    execFileSync(...inside(health.map((a) => a.replace(/:8444$/, ':' + operations))));
    // No process needs to write anywhere but there.
    const user = Number(last('USER')[0].split(':')[0]);
    const owned = execFileSync('find', [root, '-uid', String(user), '-type', 'd'],
                               {encoding: 'utf8'}).trim().split('\n');
    for (const dir of owned) assert.match(dir, /\/var\/(lib|log)\/inkan/);
  } finally {
    server.kill('SIGTERM');
  }
  assert.equal(await ended, 0, read(work, 'inkand.log'));
}
console.log(`${installed.length} packages, ${chroot ? 'run in its root' : 'run by its loader'}`);
