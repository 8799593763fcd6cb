// The database schema: numbered SQL files, applied in order. Rule: a file and its record go into one transaction.
import { readdir, readFile } from 'node:fs/promises';
import { pool, rows } from './database.js';
import { log } from './log.js';

const folder = new URL('./migrations/', import.meta.url);

/** The schema number that this release needs: that of its last migration. */
export async function wantedSchema() {
  return Math.max(...(await migrationFiles()).map((file) => file.number));
}

/** The schema number of the database; 0 before the first migration. */
export async function presentSchema() {
  const [{ found }] = await rows(`select to_regclass('schema_migrations') is not null as found`);
  if (!found) return 0;
  const [{ number }] = await rows('select coalesce(max(number), 0) as number from schema_migrations');
  return number;
}

/** Applies what is missing; a second run does nothing. */
export async function migrate() {
  await pool.query(
    'create table if not exists schema_migrations (number integer primary key, name text not null, applied timestamptz not null default now())',
  );
  const present = await presentSchema();
  for (const file of await migrationFiles()) {
    if (file.number > present) await applyMigration(file);
  }
}

async function applyMigration({ number, name }) {
  const sql = await readFile(new URL(name, folder), 'utf8');
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(sql);
    await client.query('insert into schema_migrations (number, name) values ($1, $2)', [number, name]);
    await client.query('commit');
  } finally {
    client.release(true);
  }
  log('info', 'migrated', { number, name });
}

async function migrationFiles() {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  return names.map((name) => ({ number: Number.parseInt(name, 10), name }));
}
