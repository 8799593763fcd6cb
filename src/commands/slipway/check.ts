// check: everything that is wrong with a product, as far as it can be known without side effects. Rule: all problems at once, each with its line.
import { digestOf } from '../../model/digest.ts';
import { sortProblems } from '../../model/problem.ts';
import { countProblems, problemsToText } from '../../show/problems.ts';
import { type Command, refusePositionals } from '../command.ts';
import { assess, checkAgainstPrevious, checkIgnored, inspectProduct, KEY_FLAGS } from './inspect.ts';
import { DEFAULT_OUT } from './own-folders.ts';
import { hasErrors, problemsError } from './problems.ts';
import { ANY_RELEASE, PRODUCT_FLAGS } from './product-file.ts';

export const check: Command = {
  name: 'check',
  summary: 'everything that can be known of a product without side effects',
  flags: { ...KEY_FLAGS, ...PRODUCT_FLAGS },
  run: async (context) => {
    refusePositionals(context);
    const inspection = await inspectProduct(context, DEFAULT_OUT);
    const operator = { file: '', size: 0, sha256: digestOf('') }; // nothing is written
    const { problems } = assess(inspection, { release: ANY_RELEASE, operator });
    const { channel } = ANY_RELEASE;
    const more = [
      ...(await checkIgnored(inspection, context)),
      ...(await checkAgainstPrevious(inspection, { channel, below: undefined }, context)),
    ];
    const all = sortProblems([...problems, ...more]);
    if (hasErrors(all)) throw problemsError(all, context);
    return { fields: { problems: all }, text: all.length === 0 ? 'no problems\n' : `${problemsToText(all)}${countProblems(all)}\n` };
  },
};
