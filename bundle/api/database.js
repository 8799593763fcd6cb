// The product's database connections. Rule: where and who comes from the PG* variables; a lost connection is never fatal.
import pg from 'pg';
import { log } from './log.js';

export const pool = new pg.Pool({ max: 8, connectionTimeoutMillis: 2000, application_name: 'acme' });
pool.on('error', (error) => log('warn', 'lost a database connection', { reason: error.message }));

/** The rows of one statement. */
export async function rows(sql, values = []) {
  return (await pool.query(sql, values)).rows;
}
