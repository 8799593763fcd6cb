// The web app: notes in the database, uploads in a folder, and a health endpoint that says which release answers.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { rows } from './database.js';
import { presentSchema, wantedSchema } from './schema.js';
import { Refusal, serve } from './serve.js';

const UPLOADS = '/uploads';
const WELCOME = '/content/welcome.txt';
const version = process.env.ACME_VERSION ?? '0.0.0';

serve(
  {
    'GET /': showPage,
    'GET /api/health': showHealth,
    'GET /api/notes': listNotes,
    'POST /api/notes': addNote,
    'GET /api/uploads/*': readUpload,
    'PUT /api/uploads/*': writeUpload,
  },
  Number(process.env.PORT ?? 3000),
);

async function showHealth() {
  const report = await observeHealth().catch((error) => ({ status: 'failing', version, reason: error.message }));
  return { status: report.status === 'ok' ? 200 : 503, body: report };
}

async function observeHealth() {
  const [schema, wanted] = await Promise.all([presentSchema(), wantedSchema()]);
  if (schema !== wanted) return { status: 'failing', version, schema, reason: `this release needs schema ${wanted}` };
  return { status: 'ok', version, schema };
}

async function listNotes() {
  return { body: await rows('select id::int, text, created from notes order by id') };
}

async function addNote(body) {
  const { text } = parseNote(body);
  const [note] = await rows('insert into notes (text) values ($1) returning id::int, text, created', [text]);
  return { status: 201, body: note };
}

async function readUpload(_body, name) {
  return { body: await readFile(uploadPath(name)).catch(() => Promise.reject(new Refusal(404, `no upload ${name}`))) };
}

async function writeUpload(body, name) {
  const path = uploadPath(name);
  await writeFile(`${path}.part`, body);
  await rename(`${path}.part`, path);
  return { status: 201, body: { name, size: body.length } };
}

async function showPage() {
  const welcome = await readFile(WELCOME, 'utf8').catch(() => '');
  const notes = await rows('select text from notes order by id desc limit 20');
  const items = notes.map((note) => `<li>${escapeHtml(note.text)}</li>`);
  const support = `<p>${escapeHtml(process.env.ACME_DOMAIN ?? '')}, release ${escapeHtml(version)}, <a href="${escapeHtml(process.env.ACME_SUPPORT ?? '')}">support</a></p>`;
  return {
    body: `<!doctype html><title>Acme Notes</title><h1>Acme Notes</h1><p>${escapeHtml(welcome)}</p><ul>${items.join('')}</ul>${support}`,
  };
}

function parseNote(body) {
  let note;
  try {
    note = JSON.parse(body.toString());
  } catch {
    throw new Refusal(400, 'expected JSON: {"text": "…"}');
  }
  if (typeof note?.text !== 'string' || note.text === '') throw new Refusal(400, 'expected JSON: {"text": "…"}');
  return note;
}

function uploadPath(name) {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(name)) throw new Refusal(400, 'not a plain file name');
  return `${UPLOADS}/${name}`;
}

function escapeHtml(text) {
  return text.replace(/[&<>"]/g, (sign) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[sign]);
}
