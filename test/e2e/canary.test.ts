// A canary: a container of the person's own that writes numbered rows into the real PostgreSQL all the while, and a client that asks at the door. Rule: a row
// counts as written once the database has said so; what the product says of its downtime is held against what the client saw.
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makePatient } from './lean-product.ts';
import { type Installed, install, openStage, type Stage } from './stage.ts';

let stage: Stage;
let acme: Installed;
let acks: string;

beforeAll(async () => {
  stage = await openStage();
  await stage.publish('1.0.0', 1, makePatient);
  acme = await install(stage, 'canary');
  await acme.sql('create table canary (id bigint generated always as identity primary key, at timestamptz default now())');
  acks = join(stage.folder, 'acks');
  await mkdir(acks);
  await writeFile(join(acme.root, 'docker-compose.override.yml'), overrideFor(await imageOfDatabase()));
  const { code, stderr } = await acme.ctl('start');
  expect(code, stderr).toBe(0);
});

afterAll(async () => {
  await acme?.remove();
  await stage?.close();
});

describe('rows that are written all through an upgrade', () => {
  test('are all there afterwards, and the door was shut for as long as the result says', async () => {
    await stage.publish('2.0.0', 2, makePatient);
    await acknowledged(5);
    const watch = watchDoor(acme);
    const { result, code, stderr } = await acme.ctl('upgrade', '--yes');
    expect(code, stderr).toBe(0);
    await acknowledged(rowsSoFar().length + 5);
    const away = await watch.end();
    const told = Number(result.downtimeMs);
    console.log(`downtime of an upgrade: the client at the door saw ${away} ms, the result says ${told} ms`);
    expect(await lostRows()).toEqual([]);
    expect(Math.abs(away - told)).toBeLessThan(2000 + told * 0.25);
  });

  test('before the stop, and after the way back, are all there when a bad release was undone', async () => {
    await stage.publish('3.0.0', 3);
    await acknowledged(rowsSoFar().length + 5);
    const [before] = runsSoFar().slice(-1);
    const watch = watchDoor(acme);
    const { result, code } = await acme.ctl('upgrade', '--yes');
    expect([code, result.outcome]).toEqual([5, 'rolled-back']);
    await acknowledged(rowsSoFar().length + 5);
    console.log(`downtime of an upgrade that was undone: the client at the door saw ${await watch.end()} ms`);
    const [after] = runsSoFar().slice(-1);
    expect(after).not.toBe(before);
    // Between the two the new release ran behind its shut door: what it wrote goes back with it.
    const between = runsSoFar().slice(runsSoFar().indexOf(before ?? '') + 1, -1);
    expect((await lostRows()).filter(({ run }) => !between.includes(run))).toEqual([]);
    expect((await acme.http('/api/health')).status).toBe(200);
  });
});

interface Row {
  /** The container that wrote it. */
  readonly run: string;
  readonly id: string;
}

/** One writer beside the product, in the product's own network; each row is told of in a file once it is committed. */
function overrideFor(image: string): string {
  const insert = 'insert into canary default values returning id';
  const loop = [
    'trap "exit 0" TERM',
    `while :; do id=$$(psql -h db -U acme -d acme -qAt -c "${insert}") && echo "$$(hostname) $$id" >> /acks/rows; sleep 0.05; done`,
  ].join('; ');
  return [
    'services:',
    '  canary:',
    `    image: ${image}`,
    '    restart: unless-stopped',
    '    stop_grace_period: 3s',
    `    entrypoint: ["/bin/sh", "-c", ${JSON.stringify(loop)}]`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own interpolation
    '    environment: { PGPASSWORD: "${DB_PASSWORD}" }',
    `    volumes: ["${acks}:/acks"]`,
    '',
  ].join('\n');
}

async function imageOfDatabase(): Promise<string> {
  const manifest = JSON.parse(readFileSync(join(acme.root, 'bundle.json'), 'utf8')) as {
    readonly images: readonly { readonly name: string; readonly reference: string; readonly digest: string }[];
  };
  const database = manifest.images.find(({ name }) => name === 'postgres');
  return `${database?.reference}@${database?.digest}`;
}

function rowsSoFar(): Row[] {
  const lines = readFileSync(join(acks, 'rows'), { encoding: 'utf8', flag: 'a+' }).split('\n');
  return lines.filter(Boolean).map((line) => ({ run: line.split(' ')[0] ?? '', id: line.split(' ')[1] ?? '' }));
}

/** The containers that wrote, in order. */
function runsSoFar(): string[] {
  return [...new Set(rowsSoFar().map(({ run }) => run))];
}

/** Waits until so many rows are written. */
async function acknowledged(count: number): Promise<void> {
  for (let tries = 0; rowsSoFar().length < count; tries += 1) {
    if (tries === 600) throw new Error('the canary does not write');
    await pause(100);
  }
}

async function lostRows(): Promise<Row[]> {
  const rows = rowsSoFar();
  const there = new Set((await acme.sql('select id from canary')).split('\n'));
  return rows.filter(({ id }) => !there.has(id));
}

/** Asks at the door again and again; gives the longest time without an answer. Milliseconds. */
function watchDoor(installed: Installed): { readonly end: () => Promise<number> } {
  let going = true;
  let [longest, last] = [0, Date.now()];
  const work = (async () => {
    while (going) {
      const answered = await installed.http('/api/health').then(
        ({ ok }) => ok,
        () => false,
      );
      if (answered) {
        longest = Math.max(longest, Date.now() - last);
        last = Date.now();
      }
      await pause(20);
    }
  })();
  return {
    end: async () => {
      going = false;
      await work;
      return longest;
    },
  };
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
