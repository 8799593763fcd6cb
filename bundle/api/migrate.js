// Brings the database to this release's schema. One-shot: exit code 0 when done or nothing to do.
import { pool } from './database.js';
import { migrate, presentSchema } from './schema.js';

await migrate();
console.log(`schema ${await presentSchema()}`);
await pool.end();
