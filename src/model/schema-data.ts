// The schema of `data` in slipway.yaml. Rule: names and shapes only; what cannot be carried out is found by the checks.
import * as z from 'zod';
import * as part from './schema-parts.ts';

const { text } = part;
const flag = z.boolean();

/** A data item. */
export const dataItem = z.strictObject({
  engine: text.optional(),
  major: z.int().min(0).optional(),
  backup: z.strictObject({ service: text, dump: text, restore: text }).optional(),
  migrate: z
    .strictObject({
      from: part.composeName.optional().describe('The item of earlier releases; by default the same name'),
      majors: z.array(z.int().min(0)).min(1, 'at least one major'),
      how: z.literal('dump-restore').default('dump-restore'),
      dump: text.optional(),
      restore: text.optional(),
      compare: text.optional().describe('Must print the same with the old and with the new engine'),
      keepOld: flag.default(true),
    })
    .optional()
    .describe('A declared change of the major: dumped by the old engine, restored into a new volume by the new one'),
  onUpgrade: z.enum(['copy', 'skip']).optional(),
  path: part.pathInside.optional(),
  renamedFrom: part.composeName.optional(),
  ephemeral: flag.optional(),
});
