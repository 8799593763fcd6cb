// The optional reports page: counts rows, writes nothing.
import { rows } from './database.js';
import { serve } from './serve.js';

serve({ 'GET /reports': report }, Number(process.env.PORT ?? 3001));

async function report() {
  const [counts] = await rows('select (select count(*)::int from notes) as notes, (select count(*)::int from ticks) as heartbeats');
  return { body: counts };
}
