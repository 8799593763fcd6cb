// A release of a small product with every kind of question, and a place to install it. Rule: what a person of the product would have.
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { digestOf } from '../../src/model/digest.ts';
import type { Manifest } from '../../src/model/manifest.ts';
import { writtenOrder } from '../../src/model/written-order.ts';
import { buildRelease, makeKeys, publishRelease } from '../fakes/release-builder.ts';

export interface Acme {
  readonly program: string;
  /** `install` with everything that install.sh would say. */
  readonly install: readonly string[];
  /** Publishes a later release, made with the same program. */
  readonly publish: (version: string) => Promise<void>;
}

const REPOSITORY = join(import.meta.dirname, '../..');

/** Bundles the operator command; gives its path. */
export async function buildAcme(folder: string): Promise<string> {
  const program = join(folder, 'acmectl.mjs');
  await build({
    entryPoints: [join(REPOSITORY, 'test/fakes/acme-program.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'silent',
    define: { SLIPWAY_VERSION: '"1.0.0"' },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  return program;
}

/** Bundles the operator command, and publishes a release that is made with it. */
export async function publishAcme(folder: string): Promise<Acme> {
  const program = await buildAcme(folder);
  const keys = makeKeys();
  const host = join(folder, 'releases');
  const publish = async (version: string): Promise<void> => {
    const built = await buildRelease({
      workspace: join(folder, `workspace ${version}`),
      version,
      keys,
      operator: await readFile(program, 'utf8'),
      files: {
        'docker-compose.yml': COMPOSE.replace('{ URL', version === '1.0.0' ? '{ URL' : `{ RELEASE: "${version}", URL`),
        VERSION: `${version}\n`,
      },
      manifest: { ...MANIFEST, ...writtenOrder(MANIFEST.env ?? {}, MANIFEST.features ?? {}) },
    });
    await publishRelease(built, host);
  };
  await mkdir(host);
  await publish('1.0.0');
  const words = ['--product', 'acme', '--releases', host, '--key', keys.publicKey, '--title', 'Acme Platform', '--cli', 'acmectl'];
  return { program, install: [process.execPath, program, 'install', ...words], publish };
}

/** A new place: where to install, and what the process has around it. */
export async function makePlace(folder: string): Promise<{ place: string; root: string; env: Readonly<Record<string, string>> }> {
  const place = await mkdtemp(join(folder, 'place-'));
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: place,
    TERM: 'tmux-256color',
    LC_ALL: 'C.UTF-8',
    FAKE_ENGINE: join(place, 'engine'),
    TMPDIR: place,
  };
  return { place, root: join(place, 'acme'), env };
}

const pinned = (name: string): string => `registry.test/acme/${name}:1.0.0@${digestOf(`manifest of ${name}`)}`;

const COMPOSE = `name: acme
services:
  web:
    image: ${pinned('web')}
    ports: ["\${HTTP_PORT:-8080}:80"]
    environment: { URL: "\${PUBLIC_URL}", LEVEL: "\${LOG_LEVEL}", KEY: "\${SECRET_KEY:?not set}" }
  chat:
    image: ${pinned('web')}
    profiles: [chat]
  tunnel:
    image: ${pinned('web')}
    profiles: [pangolin]
    environment: { TOKEN: "\${TUNNEL_TOKEN}" }
`;

const MANIFEST: Partial<Manifest> = {
  requires: { ports: [{ port: '{{HTTP_PORT}}', protocol: 'tcp' }], platforms: ['linux/amd64'] },
  images: [
    { name: 'web', reference: 'registry.test/acme/web:1.0.0', digest: digestOf('manifest of web'), platforms: ['linux/amd64'], size: 1000 },
  ],
  features: {
    mail: { ask: 'Send e-mail?', profiles: [], default: false },
    chat: { ask: 'Team chat?', profiles: ['chat'], default: false, requires: ['mail'] },
    tunnel: { ask: 'How is this host reached?', profiles: [], default: 'none', choices: { none: [], pangolin: ['pangolin'] } },
  },
  env: {
    DOMAIN: { group: 'Site', ask: 'Public host name', type: 'hostname', required: true, help: 'The name people type into their browser' },
    ADMIN_EMAIL: { group: 'Site', ask: "Administrator's e-mail", type: 'email', required: true },
    HTTP_PORT: { group: 'Site', ask: 'HTTP port', type: 'port', default: 8080 },
    PUBLIC_URL: { group: 'Site', ask: 'Public address', type: 'url', default: 'http://{{DOMAIN}}:{{HTTP_PORT}}' },
    LOG_LEVEL: { group: 'Operation', ask: 'How much is logged', type: 'choice', choices: ['debug', 'info', 'warn'], default: 'info' },
    WORKERS: { group: 'Operation', ask: 'Workers', type: 'integer', default: 2, pattern: '^[1-9]$' },
    UPLOADS: { group: 'Operation', ask: 'Folder of the uploads', type: 'path', default: './uploads' },
    SMTP_HOST: { group: 'Mail', ask: 'SMTP server', type: 'hostname', required: true, when: 'features.mail' },
    SMTP_PASS: { group: 'Mail', ask: 'SMTP password', type: 'text', sensitive: true, required: true, when: 'features.mail' },
    TUNNEL_TOKEN: { group: 'Tunnel', ask: 'Token of the tunnel', type: 'text', when: 'features.tunnel=pangolin' },
    SECRET_KEY: { secret: 'hex', length: 32, immutable: true },
  },
};
