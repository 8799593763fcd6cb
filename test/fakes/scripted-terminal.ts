// A terminal whose person types prepared lines. Rule: like the real one it never answers without a person, and ends in E_INTERRUPTED at end of input.
import { ToolError } from '../../src/model/error.ts';
import type { Terminal } from '../../src/model/seams.ts';

export interface ScriptedTerminal extends Terminal {
  /** All that was shown: prompts, what was typed unless hidden, and text. */
  readonly shown: () => string;
}

/** A person who types these lines; without lines nobody is there. */
export function scriptedTerminal(lines?: readonly string[]): ScriptedTerminal {
  const left = [...(lines ?? [])];
  let shown = '';
  return {
    interactive: lines !== undefined,
    colour: false,
    columns: 80,
    out: (text) => {
      shown += text;
    },
    err: (text) => {
      shown += text;
    },
    ask: async (question, { hidden = false } = {}) => {
      if (lines === undefined) throw new Error('asked although nobody is there');
      shown += question;
      const line = left.shift();
      if (line === undefined) throw new ToolError('E_INTERRUPTED', 'interrupted', { hint: 'Nothing was changed.' });
      shown += hidden ? '\n' : `${line}\n`;
      return line;
    },
    shown: () => shown,
  };
}
