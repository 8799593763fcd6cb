// Asks the service beside it whether it is well: `node healthcheck.js [PATH]`. Exit code 0 or 1, the answer on stdout.
const path = process.argv[2] ?? '/api/health';
const address = `http://127.0.0.1:${process.env.PORT ?? 3000}${path}`;

try {
  const response = await fetch(address, { signal: AbortSignal.timeout(2000) });
  console.log((await response.text()).trim());
  process.exitCode = response.ok ? 0 : 1;
} catch (error) {
  console.log(`${address} does not answer: ${error.cause?.message ?? error.message}`);
  process.exitCode = 1;
}
