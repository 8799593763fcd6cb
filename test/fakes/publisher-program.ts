// A publisher as a process of its own, bundled by tests. It publishes one packed release with the real plan and handlers, and ends with one line of JSON.
// Given `killBefore`, it kills itself right before its n-th change of the file system.
import * as fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import type { BuiltRelease, PublishOptions } from './release-builder.ts';

export interface PublisherTask {
  readonly built: BuiltRelease;
  readonly host: string;
  readonly options?: PublishOptions;
  /** Milliseconds since 1970: all begin at once. */
  readonly startAt?: number;
  readonly killBefore?: number;
}

const CHANGES = ['open', 'link', 'rename', 'rm', 'mkdir'] as const;

/** Counts the calls that change the file system; `open` counts because writing begins with it. */
function killBefore(count: number): void {
  let calls = 0;
  for (const name of CHANGES) {
    const real = fs.promises[name] as (...args: unknown[]) => unknown;
    (fs.promises as unknown as Record<string, unknown>)[name] = (...args: unknown[]) => {
      if (name === 'open' && args[1] === 'r') return real(...args);
      calls += 1;
      if (calls === count) process.kill(process.pid, 'SIGKILL');
      return real(...args);
    };
  }
  syncBuiltinESMExports();
}

async function main(task: PublisherTask): Promise<void> {
  const { publishRelease } = await import('./release-builder.ts');
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, (task.startAt ?? 0) - Date.now())));
  if (task.killBefore !== undefined) killBefore(task.killBefore);
  try {
    await publishRelease(task.built, task.host, task.options);
    process.stdout.write(`${JSON.stringify({ ok: true })}\n`);
  } catch (error) {
    const { code, message, stack } = error as { code?: string; message?: string; stack?: string };
    process.stdout.write(`${JSON.stringify({ ok: false, code: code ?? 'bug', message: code === undefined ? stack : message })}\n`);
  }
}

await main(JSON.parse(process.env.PUBLISHER_TASK ?? '') as PublisherTask);
