// What the deploy tests in JavaScript share.
import assert from 'node:assert/strict';
import {execFileSync, spawn} from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';

export const read = (...parts) => fs.readFileSync(path.join(...parts), 'utf8');

export function freshFolder(dir) {
  fs.rmSync(dir, {recursive: true, force: true});
  fs.mkdirSync(dir, {recursive: true});
  return dir;
}

// Anchors and TLS files of a lab, where the example configurations look for them.
export function fillConfiguration(source, lab, folder) {
  execFileSync('bash', [
    '-euc', '. "$0/tests/deploy/lib.sh"; fill_configuration "$1" "$2"', source, lab,
    folder,
  ]);
}

// Runs inkand until `use` is through, with the ports it bound; its exit code must
// be 0.
export async function withServer(bin, config, work, use) {
  const portFile = path.join(work, 'port');
  const log = fs.openSync(path.join(work, 'inkand.log'), 'w');
  const server = spawn(path.join(bin, 'inkand'),
                       ['--config', config, '--port-file', portFile],
                       {stdio: ['ignore', log, log]});
  const ended = new Promise((resolve) => server.on('exit', resolve));
  try {
    for (const end = Date.now() + 60_000; !fs.existsSync(portFile);) {
      assert.ok(server.exitCode === null && Date.now() < end,
                'inkand did not start:\n' + read(work, 'inkand.log'));
      await sleep(50);
    }
    await use(read(portFile).trim().split('\n').map(Number));
  } finally {
    server.kill('SIGTERM');
  }
  assert.equal(await ended, 0, read(work, 'inkand.log'));
}

// The path of a command; without it the test is skipped, or fails under CI=true.
export function need(command, debianPackage) {
  for (const dir of (process.env.PATH + ':/usr/sbin:/sbin').split(':')) {
    if (fs.existsSync(path.join(dir, command))) return path.join(dir, command);
  }
  console.error(`${command} is not here: apt-get install ${debianPackage}`);
  process.exit(process.env.CI === 'true' ? 1 : 77);
}
