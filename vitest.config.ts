import { defineConfig } from 'vitest/config';

// Two projects: `core` needs nothing but Node.js; `engine` needs the test bed (scripts/testbed.sh) and runs file after file. Temporary files of a test file
// go with it, and what is left at the end fails the run.
const setupFiles = ['test/setup/temp-folder.ts'];

export default defineConfig({
  test: {
    globalSetup: ['test/setup/run-folder.ts'],
    projects: [
      {
        test: {
          name: 'core',
          setupFiles,
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          testTimeout: 180_000, // what a machine that is busy with something else needs; a test that hangs ends
          hookTimeout: 180_000,
          retry: process.env.CI === 'true' ? 1 : 0, // scripts/count-tests.mjs names what was right only then: a race that is to be found
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'engine',
          setupFiles,
          include: ['test/e2e/**/*.test.ts', 'test/model/env-compose.test.ts', 'test/world/compose-config.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
          maxWorkers: 1,
        },
      },
    ],
  },
});
