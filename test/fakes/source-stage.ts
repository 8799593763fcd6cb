// A product that runs from a clone of its git repository, on the machine of an install stage. Rule: git is the real one; the engine alone is fake.
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '../../src/model/seams.ts';
import { runProgram } from '../../src/world/run.ts';
import type { FakeEngine } from './engine.ts';
import { FOUND_ENV, type FoundInstall, foundInstall, NEXT_FILES, nextImages, RELEASE_FILES } from './found-install.ts';
import { commitFiles, git } from './git-workspace.ts';
import { type InstallStage, imageOf } from './install-stage.ts';

/** What the checkout's compose file calls the image that it builds. */
export const BUILT = 'acme/api:local';

const API_2 = imageOf('api', '2').pinned.replace(/@.*/, '');

const COMPOSE = `name: acme
services:
  db:
    image: ${imageOf('db').pinned.replace(/@.*/, '')}
    restart: unless-stopped
    environment: { PASSWORD: "\${DB_PASSWORD:?set it}" }
    volumes: ["pgdata:/data"]
  api:
    build: ./api
    image: ${BUILT}
    restart: unless-stopped
    ports: ["\${PORT:-18080}:80"]
    volumes: ["./configs:/etc/api:ro", "./data/uploads:/uploads"]
volumes:
  pgdata:
`;

const FIRST: Readonly<Record<string, string>> = {
  'docker-compose.yml': COMPOSE,
  'api/Dockerfile': `FROM ${imageOf('api').pinned}\n`,
  'api/old/part.c': 'old\n',
  'configs/api.conf': 'shipped\n',
  'configs/more.conf': 'shipped too\n',
  'docs.txt': 'read me\n',
  '.gitignore': '*.log\n',
};

const SECOND: Readonly<Record<string, string>> = {
  'api/Dockerfile': `FROM ${imageOf('api', '2').pinned}\n`,
  'api/new/part.c': 'new\n',
  'configs/more.conf': 'shipped anew\n',
};

export interface SourceStage {
  readonly stage: InstallStage;
  readonly found: FoundInstall;
  /** The repository that it was cloned from. */
  readonly origin: string;
  readonly first: string;
  readonly second: string;
  /** Docker is the stage's, git is git. */
  readonly run: Run;
  readonly git: (...words: readonly string[]) => string;
}

/** A clone at the commit of 1.0.0, built, running and taken over; 1.1.0 is published and pushed. `second` adds files to its commit. */
export async function makeSourceStage(stage: InstallStage, second: Readonly<Record<string, string>> = {}): Promise<SourceStage> {
  const { root, place, engine } = stage;
  const found = foundInstall(stage);
  const origin = join(place, 'origin');
  const first = await commitFiles(origin, FIRST);
  git(place, 'clone', '-q', origin, root);
  await stage.publish('1.0.0', { commit: first }, RELEASE_FILES);
  await writeFile(join(root, '.env'), FOUND_ENV);
  await buildByHand(engine, root);
  await found.up(['db', 'api']);
  for (const name of [...engine.state().images.keys()]) if (name.startsWith(API_2)) engine.state().images.delete(name); // nobody has pulled it
  const run = sourceRun(engine.client());
  await found.take({}, { run });
  await rm(join(origin, 'api/old'), { recursive: true });
  const pushed = await commitFiles(origin, { ...SECOND, ...second });
  const validate = [{ service: 'api', command: ['migrate'] }]; // a command that ends, in the new image
  await stage.publish('1.1.0', { ...nextImages(), commit: pushed, validate }, NEXT_FILES);
  return { stage, found, origin, first, second: pushed, run, git: (...words) => git(root, ...words) };
}

/** A client of the engine beside the real git. */
export function sourceRun(docker: Run): Run {
  return (argv, options) => (argv[0] === 'git' ? runProgram(argv, options) : docker(argv, options));
}

/** `docker compose build` by hand in the checkout. */
export async function buildByHand(engine: FakeEngine, root: string): Promise<void> {
  const files = ['--env-file', join(root, '.env'), '--file', join(root, 'docker-compose.yml')];
  const { code, stderr } = await engine.client()(['docker', 'compose', '--project-directory', root, ...files, 'build', 'api'], { env: {} });
  if (code !== 0) throw new Error(stderr);
}
