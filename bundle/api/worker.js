// Writes a heartbeat row four times a second for each of WORKERS workers, so that a writer that should be down is seen.
import { pool, rows } from './database.js';
import { log } from './log.js';

const workers = Number(process.env.WORKERS ?? 1);
let stopping = false;
process.once('SIGTERM', () => {
  stopping = true;
});

log('info', 'working', { workers });
while (!stopping) {
  for (let worker = 1; worker <= workers; worker++) await beat(worker);
  await new Promise((resolve) => setTimeout(resolve, 250));
}
await pool.end();

async function beat(worker) {
  await rows('insert into ticks (worker) values ($1)', [worker]).catch((error) => log('warn', 'no heartbeat', { reason: error.message }));
}
