// The small words of slipway.yaml's schema. Rule: each refusal reads "expected <message>", so a message is a noun phrase.
import * as z from 'zod';
import { parseRelativePath } from './parse.ts';
import { isBranchName } from './train.ts';
import { DURATION_PATTERN, SIZE_PATTERN } from './units.ts';
import { isRange, versionOf } from './version.ts';

z.config({ jitless: true }); // one product is read in a run: compiling its parser takes longer than parsing

const shaped = (pattern: RegExp, expected: string) => z.string().regex(pattern, expected);

/** One of several forms; `expected` is said when none of them is near. */
export const either = <const T extends readonly [z.ZodType, ...z.ZodType[]]>(expected: string, forms: T) =>
  z.union(forms, { error: expected });

export const text = z.string().min(1, 'text that is not empty');
export const texts = z.array(text);
export const command = texts.min(1, 'a command as a list of words');
export const scalar = either('text, a number, true or false', [z.string(), z.number(), z.boolean()]);
export const duration = either('a duration such as 30s, 5m or 2h', [
  z.int().min(0),
  shaped(DURATION_PATTERN, 'a duration such as 30s, 5m or 2h'),
]);
export const size = either('a size such as 512MiB or 2GB', [z.int().min(0), shaped(SIZE_PATTERN, 'a size such as 512MiB or 2GB')]);
export const range = z.string().refine(isRange, 'a version range such as ">=2.20"');
export const version = z.string().refine((text) => versionOf(text) !== undefined, 'a version such as 1.2.0');
/** `owner/name` on a forge. */
export const repository = z.string().regex(/^[A-Za-z0-9][\w.-]*\/[\w.-]+$/, 'a repository such as acme/acme');

/** `owner/name`, or what `git push` takes. */
export const gitRepository = shaped(/^[A-Za-z0-9/.][^\s]*$/, 'a repository such as acme/web, or the address of a git remote');
export const branchName = z.string().refine(isBranchName, 'the name of a branch');
/** `git`, a path, or a path with `#` and a key. */
export const versionSource = z
  .string()
  .refine(
    (value) => isInside(value.split('#')[0] ?? '') && /^[^#]+(?:#[^#.]+(?:\.[^#.]+)*)?$/.test(value),
    'package.json#version, a text file, or git',
  );

export const url = shaped(/^(?:https?|file):\/\/(?![^/]*@)[^\s]+$/, 'a URL that begins with https://, and holds no login');
/** What `git push` takes. A password in it would be in plans, journals and the list of processes. */
export const gitAddress = shaped(
  /^(?!https?:\/\/[^/]*@)(?!\w+:\/\/[^/@]*:[^/@]*@)\S.*$/,
  'the address of a git remote that holds no login: git keeps credentials itself',
);
export const probeUrl = shaped(/^https?:\/\/\S.*$/, 'a URL such as http://127.0.0.1:{{HTTP_PORT}}/health');
export const when = shaped(/^features\.[a-z][a-z0-9_-]*(?:=[a-z][a-z0-9_-]*)?$/, 'features.<name>, or features.<name>=<choice>');
export const platform = shaped(/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/, 'a platform such as linux/amd64');
export const pathInside = z.string().refine(isInside, 'a relative path that stays inside the folder');
export const pathOrHere = z.string().refine((path) => path === '.' || isInside(path), 'a relative path that stays inside the folder');
export const fileMode = shaped(/^0[0-7][0145][0145]$/, 'a mode as text, such as "0644" or "0600", that lets only the owner write');
export const absolutePath = shaped(/^\/(?!.*(?:^|\/)\.\.(?:\/|$))/, 'an absolute path');
export const fileName = shaped(/^[A-Za-z0-9][A-Za-z0-9._+-]{0,200}$/, 'a plain file name');
export const assetName = shaped(/^[A-Za-z0-9{][A-Za-z0-9._+{}-]{0,200}$/, 'a plain file name, in which {version} stands for the version');
export const productName = shaped(/^[a-z][a-z0-9-]{0,62}$/, 'lower-case letters, digits and -, beginning with a letter');
export const keyName = shaped(/^[a-z][a-z0-9_-]{0,62}$/, 'a name of lower-case letters, digits, - and _');
export const channelName = shaped(/^[a-z][a-z0-9.-]{0,62}$/, 'a name of lower-case letters, digits, - and .');
export const imageName = shaped(/^[a-z0-9][a-z0-9._-]{0,127}$/, 'an image name of lower-case letters, digits, ., - and _');
export const composeName = shaped(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'a name as Compose takes it');
export const variableName = shaped(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a variable name of letters, digits and _');
export const prereleaseName = shaped(/^[A-Za-z][A-Za-z0-9-]{0,62}$/, 'letters, digits and -');
export const repositoryPath = shaped(/^[a-z0-9][a-z0-9._/-]{0,200}$/, 'a repository name in lower case, without registry and tag');
export const imageSource = shaped(/^[^\s@]+$/, 'an image name without a digest (digests belong in slipway.lock.json)');
export const imageTag = shaped(/^[A-Za-z0-9_{][A-Za-z0-9_.{}-]{0,127}$/, 'an image tag, in which {version} stands for the version');
export const tagRule = shaped(/^[A-Za-z0-9_{][A-Za-z0-9_.{}:-]{0,127}$/, 'an image tag with placeholders, such as {major}.{minor}');
export const stageName = shaped(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'the name of a stage of the Dockerfile');
export const namespacePattern = shaped(/^[a-z0-9_.{}-]{1,100}$/, 'a namespace such as {namespace}0{branch}');
export const registryPath = shaped(/^[A-Za-z0-9][A-Za-z0-9._:-]*(?:\/[a-z0-9._-]+)*$/, 'a registry such as registry.example/acme');
export const portNumber = z.int().min(1).max(65_535);
export const portText = shaped(/^(?:[1-9]\d{0,4}|\{\{\s*[A-Za-z_][A-Za-z0-9_]*\s*\}\})$/, 'a port number or "{{VARIABLE}}"');

/** The path without a leading `./`, as the manifest writes it. */
export function plainPath(path: string): string {
  return path.replace(/^(?:\.\/)+/, '');
}

function isInside(path: string): boolean {
  try {
    parseRelativePath(plainPath(path), 'path');
    return true;
  } catch {
    return false;
  }
}
