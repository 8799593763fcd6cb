// Builds dist/: slipway in split chunks, the operator command in one file, the templates beside them. Rule: the same sources give the same bytes.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const root = new URL('..', import.meta.url).pathname;
const out = `${root}dist`;

// Some dependencies are CommonJS and call require() for built-in modules.
const REQUIRE = "import{createRequire as __slipwayRequire}from'node:module';const require=__slipwayRequire(import.meta.url);";

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  logLevel: 'warning',
  define: { SLIPWAY_VERSION: JSON.stringify(version) },
};

for (const old of ['chunks', 'slipway.mjs', 'operator.mjs', 'templates']) rmSync(`${out}/${old}`, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  ...common,
  entryPoints: { slipway: `${root}src/main.ts` },
  outdir: out,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunks/[name]-[hash]',
  splitting: true,
  banner: { js: REQUIRE },
});
// It is fetched by every host: short names, and those of functions kept beside them, for what is said when something unforeseen happens.
await build({
  ...common,
  minifyIdentifiers: true,
  keepNames: true,
  entryPoints: [`${root}src/operator.ts`],
  outfile: `${out}/operator.mjs`,
  banner: { js: `#!/usr/bin/env node\n${REQUIRE}` },
});
cpSync(`${root}templates`, `${out}/templates`, { recursive: true });
writeFileSync(`${out}/package.json`, '{"type":"module"}\n');

// The JSON Schema is what `slipway schema` prints, shipped for editors.
mkdirSync(`${root}schema`, { recursive: true });
writeFileSync(`${root}schema/slipway.schema.json`, execFileSync(process.execPath, [`${out}/slipway.mjs`, 'schema']));
