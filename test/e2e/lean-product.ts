// The reference product made lean (a real PostgreSQL, an application that is its own door, a migration, a probe) or patient. Rule: source trees are edited, images are not.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument, stringify } from 'yaml';

interface Service {
  healthcheck?: Record<string, unknown>;
  ports?: string[];
}

/** Makes a source tree of the reference product lean; for `Stage.publish`. */
export async function makeLean(tree: string): Promise<void> {
  await editYaml(join(tree, 'slipway.yaml'), (product) => {
    product.deleteIn(['bundle', 'validate']);
    product.deleteIn(['features']);
    product.deleteIn(['services']);
    product.setIn(['images', 'thirdParty', 'core'], ['docker.io/library/postgres:15']);
    product.setIn(['upgrade', 'entry'], ['api']);
    product.setIn(['upgrade', 'health'], [{ http: 'http://127.0.0.1:{{HTTP_PORT}}/api/health', status: 200, after: 'entry' }]);
    product.setIn(['upgrade', 'probation'], 0);
    product.setIn(['upgrade', 'timeout'], '120s');
  });
  const path = join(tree, 'templates/docker-compose.yml.hbs');
  // What the template fills in is no YAML: it stands aside while the rest is read.
  const aside: string[] = [];
  const template = (await readFile(path, 'utf8')).replace(/\{\{.*?\}\}/g, (text) => `X${aside.push(text) - 1}X`);
  const compose = parseDocument(template, { merge: true }).toJS() as { services: Record<string, Service> };
  const { db = {}, api = {} } = compose.services;
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Compose's own interpolation
  api.ports = ['${HTTP_PORT:-8080}:3000'];
  if (api.healthcheck !== undefined) api.healthcheck.test = ['CMD', 'wget', '-q', '-O', '/dev/null', 'http://127.0.0.1:3000/api/health'];
  // A machine that is busy answers late, and is not sick for it.
  const patient = { start_interval: '200ms', timeout: '20s', start_period: '120s' };
  for (const service of [db, api]) service.healthcheck = { ...service.healthcheck, ...patient };
  const lean = stringify({ ...compose, services: { db, api } }, { aliasDuplicateObjects: false });
  await writeFile(
    path,
    lean.replace(/X(\d+)X/g, (_, index) => aside[Number(index)] ?? ''),
  );
}

/** Gives a source tree of the reference product time: a machine that is busy with other tests is not a sick product. */
export async function makePatient(tree: string): Promise<void> {
  await editYaml(join(tree, 'slipway.yaml'), (product) => product.setIn(['upgrade', 'timeout'], '90s'));
  const path = join(tree, 'templates/docker-compose.yml.hbs');
  const text = await readFile(path, 'utf8');
  const asked = text.replace('[CMD, node, healthcheck.js]', '[CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:3000/api/health"]');
  await writeFile(path, asked.replaceAll('timeout: 3s', 'timeout: 10s').replaceAll('start_period: 3s', 'start_period: 20s'));
}

async function editYaml(path: string, edit: (document: ReturnType<typeof parseDocument>) => void): Promise<void> {
  const document = parseDocument(await readFile(path, 'utf8'));
  edit(document);
  await writeFile(path, document.toString());
}
