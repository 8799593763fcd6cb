// Work that can be looked at from another terminal. Rule: what is reported is written down as it happens, without secrets; that it cannot be written never fails the work.
import { join } from 'node:path';
import { openProgressFile, type ProgressFile, removeProgress, writeResult } from '../../apply/progress-file.ts';
import { exitCodeOf } from '../../model/error.ts';
import type { Event } from '../../model/event.ts';
import { prettyJson } from '../../model/json.ts';
import { parseManifest } from '../../model/manifest.ts';
import { momentOf } from '../../model/parse.ts';
import { type EndedRun, endToJson, printProgress } from '../../model/progress.ts';
import { makeRedactor } from '../../model/redact.ts';
import { readRecord, readText } from '../../observe/install.ts';
import { observeRawSettings } from '../../observe/support.ts';
import { secretsOf } from '../../plan/support.ts';
import { errorToFields, errorToText } from '../../show/error.ts';
import type { Command, CommandResult, Context } from '../command.ts';

/** Beyond this only steps are written down, no amounts and no output. Bytes. */
const MOST_DETAIL = 2 * 1024 * 1024;
/** Milliseconds between two amounts of the same thing. */
const AMOUNT_EVERY = 1000;

/** The command, with everything that it reports while it holds an install's lock written down there, and its result at the end. */
export function keepProgress(command: Command): Command {
  const run = async (context: Context): Promise<CommandResult> => {
    const keeper = new ProgressKeeper(context);
    const report = (event: Event): void => {
      context.world.report(event);
      keeper.add(event);
    };
    try {
      const result = await command.run({ ...context, world: { ...context.world, report } });
      await keeper.end(result.handedOver === true ? undefined : endOf(command, result));
      return result;
    } catch (error) {
      await keeper.end(failedEndOf(command, error, context.program));
      throw error;
    }
  };
  return { ...command, run };
}

type End = Omit<EndedRun, 'at'>;

function endOf({ name }: Command, { fields, text, exit = 0 }: CommandResult): End {
  return { command: name, ok: true, exit, text, fields };
}

function failedEndOf({ name }: Command, error: unknown, program: string): End {
  return { command: name, ok: false, exit: exitCodeOf(error), text: errorToText(error, program), fields: errorToFields(error) };
}

/** From the lock to the result of one command. */
class ProgressKeeper {
  private readonly context: Context;
  private begun: Extract<Event, { type: 'begun' }> | undefined;
  private waiting: Event[] = [];
  private file: ProgressFile | undefined;
  private redact = (text: string): string => text;
  private written = 0;
  private lastAmount = { text: '', at: 0 };
  /** Lines are written one after the other. */
  private tail: Promise<void> = Promise.resolve();
  private failed = false;

  constructor(context: Context) {
    this.context = context;
  }

  add(event: Event): void {
    if (event.type === 'begun') this.begun ??= event;
    if (this.begun === undefined || this.isTooMuch(event)) return;
    this.waiting.push(event);
    if (event.type !== 'begun') this.next(() => this.write());
  }

  async end(end: End | undefined): Promise<void> {
    if (end !== undefined) this.next(() => this.writeEnd(end));
    await this.tail;
    await this.attempt(async () => this.file?.close());
  }

  private next(work: () => Promise<void>): void {
    this.tail = this.tail.then(() => (this.failed ? undefined : this.attempt(work)));
  }

  private async attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch {
      this.failed = true; // a full disk, a folder that is gone: the work goes on, and nobody can look on
    }
  }

  private async write(): Promise<void> {
    const root = this.begun?.folder ?? '';
    this.file ??= await openProgressFile(root, this.context.world.env.SLIPWAY_LOCK_NONCE !== undefined);
    if (this.file === undefined) return;
    for (const event of this.waiting.splice(0)) {
      // Secrets are new with the settings of a release, and in use from the next step on.
      if (event.type === 'begun' || event.type === 'step') this.redact = await redactorOf(root);
      const line = printProgress(withoutSecrets(event, this.redact), this.now());
      this.written += line.length;
      await this.file.append(line);
    }
  }

  private async writeEnd(end: End): Promise<void> {
    if (this.file === undefined || this.begun === undefined) return;
    if ((await readRecord(this.begun.folder))?.uninstalled !== undefined) return removeProgress(this.begun.folder);
    const ended = withoutSecrets(endToJson({ ...end, at: this.now() }), this.redact);
    await this.file.append(`${JSON.stringify(ended)}\n`);
    await writeResult(this.begun.folder, prettyJson({ ...ended, since: this.begun.since }));
  }

  private isTooMuch(event: Event): boolean {
    if (event.type !== 'progress' && event.type !== 'output') return false;
    if (event.type === 'output') return this.written > MOST_DETAIL;
    const now = this.context.world.now().getTime();
    if (event.text === this.lastAmount.text && now - this.lastAmount.at < AMOUNT_EVERY) return true;
    this.lastAmount = { text: event.text, at: now };
    return this.written > MOST_DETAIL;
  }

  private now(): string {
    return momentOf(this.context.world.now());
  }
}

/** What takes the install's secrets out of a text; where nobody says which settings are secrets, all of them. */
async function redactorOf(root: string): Promise<(text: string) => string> {
  const manifest = await readText(join(root, 'bundle.json'));
  const declared = manifest === undefined ? {} : parseManifest(manifest, 'bundle.json').env;
  const settings = await observeRawSettings(root);
  const redact = makeRedactor([...settings.values()].flatMap((values) => secretsOf(values, declared)));
  return (text) => redact('', text).text;
}

/** The same value with every text in it redacted. */
function withoutSecrets<T>(value: T, redact: (text: string) => string): T {
  return JSON.parse(JSON.stringify(value), (_, each: unknown) => (typeof each === 'string' ? redact(each) : each)) as T;
}
