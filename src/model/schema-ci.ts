// The schema of `ci` in slipway.yaml. Rule: names and shapes only; defaults and what they depend on are elsewhere.
import * as z from 'zod';
import { DEFAULT_MIRROR, DEFAULT_OUTDATED, DEFAULT_REFRESH, FORGES } from './ci-rules.ts';
import * as part from './schema-parts.ts';

const { either, text, texts } = part;
const flag = z.boolean();
const off = z.literal(false);

const cron = z.string().regex(/^[-0-9*,/]+(?: [-0-9A-Za-z*,/]+){4}$/, 'five fields of a schedule, such as "17 3 * * *"');
const branch = z.string().regex(/^[A-Za-z0-9*][\w*./-]{0,200}$/, 'a branch, or a pattern such as feature/**');
const label = z.string().regex(/^[A-Za-z0-9][\w.-]{0,100}$/, 'the label of a runner, such as ubuntu-latest');
const jobName = z.string().regex(/^[a-z][a-z0-9-]{0,40}$/, 'a name of lower-case letters, digits and -');
const registryHost = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9.:-]*$/, 'the host of a registry, such as docker.io');

const login = either('none, or { username, password } with names of secrets', [
  z.literal('none'),
  z.strictObject({ username: part.variableName, password: part.variableName }),
]);

const job = z.strictObject({
  schedule: cron,
  secrets: z.array(part.variableName).default([]).describe('Secrets that its stages get as environment variables'),
  stages: z
    .record(jobName, z.array(text).min(1, 'at least one shell line'))
    .describe('Shell lines by stage; stages run one after the other'),
});

export const ciSchema = z
  .strictObject({
    forges: z
      .array(z.enum(FORGES))
      .min(1, 'at least one forge')
      .optional()
      .describe('Default: the forges among release.hosts, else github'),
    runner: label.default('ubuntu-latest'),
    node: z
      .string()
      .regex(/^\d{2}(?:\.\d+){0,2}$/, 'a version of Node.js as text, such as "24"')
      .default('24'),
    setup: texts.optional().describe('Shell lines after which `slipway` is on the PATH; default: npm ci beside the product file'),
    validate: texts.default([]).describe('Shell lines that test the product'),
    plan: flag.default(true).describe('Pull requests get the plan of the next release as a comment'),
    branches: z.array(branch).default([]).describe('Branches besides the main one whose pushes build images'),
    secrets: z.record(part.variableName, text).default({}).describe('What each secret is'),
    logins: z.record(registryHost, login).default({}),
    mirror: either('false, or { schedule, afterBuilds }', [
      off,
      z.strictObject({ schedule: cron.default(DEFAULT_MIRROR), afterBuilds: flag.optional() }),
    ]).optional(),
    outdated: either('false, or { schedule, report }', [
      off,
      z.strictObject({ schedule: cron.default(DEFAULT_OUTDATED), report: z.enum(['issue', 'comment']).default('issue') }),
    ]).optional(),
    refresh: either('false, or a schedule', [off, cron]).default(DEFAULT_REFRESH).describe('When channel files get a new date'),
    jobs: z.record(jobName, job).default({}).describe('Scheduled one-shot jobs'),
  })
  .describe('The workflows that `slipway ci generate` makes');
