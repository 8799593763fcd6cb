import { defineConfig } from 'vitest/config';

// Two projects: `core` needs nothing but Node.js; `engine` needs the test bed (scripts/testbed.sh) and runs file after file.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'core',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          testTimeout: 180_000, // what a machine that is busy with something else needs; a test that hangs ends
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'engine',
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
