// `images.registryVariable` in compose files: `${ACME_REGISTRY:-registry.example/acme}/api:1.0.0`. Rule: one form, whose default is the product's own registry.

interface RegistryRules {
  readonly registry: string | undefined;
  readonly registryVariable: string | undefined;
}

/** An image below the product's registry, named by the variable where there is one. */
export function withRegistryVariable(image: string, { registry, registryVariable }: RegistryRules): string {
  if (registry === undefined || registryVariable === undefined || !image.startsWith(`${registry}/`)) return image;
  return `\${${registryVariable}:-${registry}}${image.slice(registry.length)}`;
}

/** The text with the product's registry written out wherever the variable stands for it. */
export function withPlainRegistry(text: string, { registry, registryVariable }: RegistryRules): string {
  if (registry === undefined || registryVariable === undefined) return text;
  return text.replaceAll(`\${${registryVariable}:-${registry}}/`, () => `${registry}/`);
}
