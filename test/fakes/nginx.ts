// A real nginx before a registry, with its limit for the size of a request. Rule: no fake; it ends with the test.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort, untilItAnswers } from './docker-registry.ts';

export interface Nginx {
  readonly host: string;
  readonly close: () => Promise<void>;
}

/** True when the program is installed. */
export function hasNginx(): boolean {
  return [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'].some((folder) => existsSync(join(folder, 'nginx')));
}

/** Starts it on 127.0.0.1 before `upstream` (`host:port`); `limit` as nginx writes it, such as `1m`. */
export async function startNginx(upstream: string, limit: string): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-nginx-'));
  const port = await freePort();
  await writeFile(join(folder, 'nginx.conf'), configuration({ folder, port, upstream, limit }));
  const env = { PATH: `${process.env.PATH ?? ''}${delimiter}/usr/sbin` };
  const child = spawn('nginx', ['-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')], { stdio: 'ignore', env });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const host = `127.0.0.1:${port}`;
  await untilItAnswers(host);
  return {
    host,
    close: async () => {
      child.kill('SIGTERM');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Settings {
  readonly folder: string;
  readonly port: number;
  readonly upstream: string;
  readonly limit: string;
}

/** As the distribution's own documentation has it, but for the limit, which is nginx's default there. */
function configuration({ folder, port, upstream, limit }: Settings): string {
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ');
  const proxy =
    'proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme; proxy_request_buffering off; proxy_http_version 1.1;';
  const server = `listen 127.0.0.1:${port}; client_max_body_size ${limit}; location / { proxy_pass http://${upstream}; ${proxy} }`;
  return `daemon off; master_process off; pid ${folder}/pid;\nevents {}\nhttp { access_log off; ${temp} server { ${server} } }\n`;
}
