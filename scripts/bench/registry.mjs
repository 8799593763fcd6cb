// Debian's docker-registry for a measurement. Rule: started empty in a folder of its own, and empty again after `wipe`.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

export async function startRegistry(folder) {
  mkdirSync(folder, { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const storage = `storage: {filesystem: {rootdirectory: ${folder}/data}, cache: {blobdescriptor: inmemory}}`;
  const config = join(folder, 'registry.yml');
  writeFileSync(config, `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\n${storage}\nhttp: {addr: "${host}"}\n`);
  let child = await serve(config, host);
  const close = async () => {
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
  };
  const wipe = async () => {
    await close();
    rmSync(join(folder, 'data'), { recursive: true, force: true });
    child = await serve(config, host);
  };
  const seconds = () => {
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100; // proc(5): utime and stime in ticks, of which Linux shows 100 a second
  };
  return { host, close, wipe, seconds };
}

async function serve(config, host) {
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  for (let tries = 0; tries < 100; tries += 1) {
    if (await fetch(`http://${host}/v2/`).catch(() => undefined)) return child;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`docker-registry does not answer on ${host}`);
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}
