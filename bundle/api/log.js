// One JSON object a line on stdout, from LOG_LEVEL up.
const LEVELS = ['debug', 'info', 'warn'];
const lowest = LEVELS.indexOf(process.env.LOG_LEVEL ?? 'info');

export function log(level, message, fields = {}) {
  if (LEVELS.indexOf(level) < lowest) return;
  console.log(JSON.stringify({ at: new Date().toISOString(), level, message, ...fields }));
}
