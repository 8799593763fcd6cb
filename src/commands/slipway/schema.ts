// schema: the JSON Schema of slipway.yaml, for editors. Rule: made from the one schema that the file is read by.
import { prettyJson } from '../../model/json.ts';
import { productJsonSchema } from '../../model/product-schema.ts';
import { type Command, refusePositionals } from '../command.ts';

export const schema: Command = {
  name: 'schema',
  summary: 'the JSON Schema of slipway.yaml',
  flags: {},
  run: async (context) => {
    refusePositionals(context);
    return { fields: { schema: productJsonSchema() }, text: schemaText() };
  },
};

/** The text of schema/slipway.schema.json. */
export function schemaText(): string {
  return prettyJson(productJsonSchema());
}
