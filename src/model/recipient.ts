// Public keys that backups are encrypted to, in age's own form (age-encryption.org/v1). Rule: a secret key in their place is refused without being repeated.
import { ToolError } from './error.ts';

/** The ending of an encrypted file's name. */
export const SEALED = '.age';

const RECIPIENT = /^age1[ac-hj-np-z02-9]{58}$/;

/** The keys of a text, separated by commas or blanks; none in an empty one. Throws E_ANSWER; `where` names the text. */
export function parseRecipients(text: string, where: string): string[] {
  const words = [...new Set(text.split(/[\s,]+/).filter((word) => word !== ''))];
  if (words.some((word) => /^AGE-SECRET-KEY-/i.test(word)))
    throw new ToolError('E_ANSWER', `${where} holds a secret key, and a public one belongs there`, {
      hint: 'Whoever has read it can open your backups: make a new pair (`age-keygen -o key.txt`) and give the line that starts with age1.',
    });
  const wrong = words.find((word) => !RECIPIENT.test(word));
  if (wrong === undefined) return words;
  throw new ToolError('E_ANSWER', `${where}: ${JSON.stringify(wrong.slice(0, 80))} is not a public key of age`, {
    hint: 'It is the line of 62 characters that starts with age1, as `age-keygen` prints it.',
  });
}
