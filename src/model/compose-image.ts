// The image of each service in a compose file. Rule: read and written by the services' names; all else stays to the byte.
import { isMap, isScalar, Scalar } from 'yaml';
import { isFields } from './value-merge.ts';
import { editYaml, readYamlMap, type YamlText } from './yaml-edit.ts';

/** What each service of a compose file names as its image. */
export function serviceImages(compose: string): ReadonlyMap<string, string> {
  const services = readYamlMap(compose)?.value.services;
  const all = isFields(services) ? Object.entries(services) : [];
  return new Map(all.flatMap(([name, service]) => (isFields(service) && typeof service.image === 'string' ? [[name, service.image]] : [])));
}

/** The compose file with these images; services that it does not have are left out. It stays as it is where that cannot be written. */
export function withServiceImages(compose: string, images: ReadonlyMap<string, string>): string {
  const file = readYamlMap(compose);
  if (file === undefined || !isFields(file.value.services)) return compose;
  const services = Object.entries(file.value.services).map(([name, service]) => {
    const image = images.get(name);
    return [name, image === undefined || !isFields(service) ? service : { ...service, image }];
  });
  const wanted = { ...file.value, services: Object.fromEntries(services) };
  // A service may have its image from an anchor, or others theirs from it: what is not as wanted then gets a line of its own.
  const replaced = readYamlMap(replaceInPlace(file, images));
  return replaced === undefined ? compose : (editYaml(replaced, replaced, wanted) ?? compose);
}

/** Where a service's own lines name its image, only the name is exchanged. */
function replaceInPlace({ text, root }: YamlText, images: ReadonlyMap<string, string>): string {
  const services = root.get('services', true);
  const edits = [...images].flatMap(([name, image]) => {
    const node: unknown = isMap(services) ? services.getIn([name, 'image'], true) : undefined;
    if (!isScalar(node) || node.range === undefined || node.range === null || node.value === image) return [];
    const isPlain = node.type === Scalar.PLAIN && !image.includes('{');
    return [{ start: node.range[0], end: node.range[1], image: isPlain ? image : JSON.stringify(image) }];
  });
  return edits
    .sort((a, b) => b.start - a.start)
    .reduce((all, { start, end, image }) => `${all.slice(0, start)}${image}${all.slice(end)}`, text);
}
