import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import {
  chooseRuntime,
  joinRuntimes,
  OPERATOR_NODE,
  parseRuntimeSet,
  printRuntimeSet,
  type Runtime,
  runtimesOf,
} from '../../src/model/runtime.ts';

function runtime(node: string, arch = 'x64', os = 'linux'): Runtime {
  const program = { size: 100, sha256: digestOf(`${node} ${arch}`) };
  const name = `runtime-${os}-${arch}.gz`;
  return { node, os, arch, name, size: 40, sha256: digestOf(`${name} ${node}`), tag: `runtime-node-${node}`, program };
}

const host = { os: 'linux', arch: 'x64', runtime: undefined };

describe('which Node.js an upgrade changes to', () => {
  const offered = [runtime('24.9.0'), runtime('24.21.0'), runtime('24.21.0', 'arm64'), runtime('26.1.0')];

  it('none, where the host has one that suffices', () => {
    expect(chooseRuntime(offered, { ...host, node: '20.19.0' }, '>=20.19')).toBeUndefined();
  });

  it('the newest that suffices, where the host’s own does not', () => {
    expect(chooseRuntime(offered, { ...host, node: '20.19.0' }, '>=24')?.node).toBe('26.1.0');
    expect(chooseRuntime(offered, { ...host, node: '20.19.0' }, '24.x')?.node).toBe('24.21.0');
    expect(chooseRuntime(offered, { ...host, node: '20.19.0', arch: 'arm64' }, '>=24')).toEqual(runtime('24.21.0', 'arm64'));
  });

  it('a newer one of ours, where ours is in use, and never an older one', () => {
    const ours = { ...host, node: '24.21.0', runtime: runtime('24.21.0') };
    expect(chooseRuntime(offered, ours, '>=20.19')?.node).toBe('26.1.0');
    expect(chooseRuntime(offered.slice(0, 3), ours, '>=20.19')).toBeUndefined();
    expect(chooseRuntime(offered.slice(0, 1), ours, '>=20.19')).toBeUndefined();
    expect(chooseRuntime(offered.slice(0, 3), ours, '<24.10')?.node).toBe('24.9.0'); // unless the release needs it
  });

  it('none, where there is none for this machine', () => {
    expect(chooseRuntime(offered, { ...host, node: '20.19.0', arch: 'riscv64' }, '>=24')).toBeUndefined();
  });
});

describe('the runtimes in a channel file', () => {
  it('are joined by newer ones, and other bytes for the same machine give way', () => {
    const former = [runtime('24.21.0'), { node: '24.21.0', os: 'plan9', later: true }];
    const other = { ...runtime('24.21.0'), sha256: digestOf('other') };
    expect(joinRuntimes(former, [other, runtime('24.22.0')])).toEqual([other, runtime('24.22.0'), former[1]]);
  });

  it('are read as far as this program knows their shape', () => {
    const short = { node: '24.21.0', os: 'linux', arch: 'x64', name: 'runtime-linux-x64.gz', size: 1, sha256: digestOf('') };
    expect(runtimesOf({ runtimes: [short, 'text', null, runtime('24.21.0')] })).toEqual([runtime('24.21.0')]);
    expect(() => runtimesOf({ runtimes: [{ ...runtime('24.21.0'), sha256: 'x' }] })).toThrow('sha256');
  });
});

it('a set of runtimes is read as it was written', () => {
  const set = { node: '24.21.0', files: [runtime('24.21.0'), runtime('24.21.0', 'arm64')] };
  expect(parseRuntimeSet(printRuntimeSet(set), 'bundle.json')).toEqual(set);
});

it('the operator program needs the Node.js that the project names', () => {
  const { engines } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')) as { engines: { node: string } };
  expect(OPERATOR_NODE).toBe(engines.node);
});
