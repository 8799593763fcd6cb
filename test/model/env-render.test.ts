// A new `.env` and the example in the bundle.
import { describe, expect, it } from 'vitest';
import { envText, envValues, parseEnvFile, setEnv } from '../../src/model/env-file.ts';
import { composeProfiles, renderEnv, renderEnvExample, setCompose } from '../../src/model/env-render.ts';

const VARIABLES = {
  DOMAIN: { group: 'Site', ask: 'Public host name', help: 'The name people type', required: true },
  KEY: { secret: 'hex' },
  LINK: { default: '{{URL}}/a"b$c' },
  URL: { default: 'http://{{DOMAIN}}:{{PORT}}' },
  PORT: { group: 'Site', ask: 'HTTP port', default: 8080 },
  LEVEL: { choices: ['info', 'warn'], default: 'info' },
  OLD: { deprecated: 'use PORT' },
} as const;

describe('renderEnv', () => {
  it('groups and comments every variable, and holds every value exactly', () => {
    const values = new Map([
      ['DOMAIN', 'd'],
      ['KEY', "p$'x"],
      ['PORT', '80'],
    ]);
    const file = renderEnv({ variables: VARIABLES, values, header: 'Acme 2.4.0\nYours to edit' });
    expect(envText(file)).toMatchInlineSnapshot(`
      "# Acme 2.4.0
      # Yours to edit

      # Site
      # The name people type
      DOMAIN=d
      # HTTP port
      PORT=80

      # Secrets
      KEY="p$$'x"

      # Settings
      LINK=
      URL=
      # One of: info, warn
      LEVEL=
      "
    `);
    expect(envValues(parseEnvFile(envText(file))).get('KEY')).toBe("p$'x");
  });
});

describe('renderEnvExample', () => {
  it('holds defaults but no answers and no secrets; what is made of other values is left to Compose', () => {
    const file = renderEnvExample(VARIABLES);
    expect(envText(file)).toMatchInlineSnapshot(`
      "# Copy this file to .env and fill in the empty values.

      # Site
      # The name people type
      DOMAIN=
      # HTTP port
      PORT=8080

      # Secrets
      KEY=

      # Settings
      # One of: info, warn
      LEVEL=info

      # Made from the values above
      URL="http://\${DOMAIN}:\${PORT}"
      LINK="\${URL}/a\\"b$$c"
      "
    `);
    expect(envValues(setEnv(file, 'DOMAIN', 'd')).get('LINK')).toBe('http://d:8080/a"b$c');
  });
});

describe('setCompose', () => {
  it('adds project and profiles once, changes them in place, and keeps the profiles that are the person’s own', () => {
    const first = setCompose(parseEnvFile('A=1\n'), { project: 'acme', profiles: ['mail'] });
    expect(envText(first)).toBe('A=1\n\n# Docker Compose\nCOMPOSE_PROJECT_NAME=acme\nCOMPOSE_PROFILES=mail\n');
    const mine = setEnv(first, 'COMPOSE_PROFILES', 'mail, mine');
    const second = setCompose(mine, { project: 'acme', profiles: ['chat'], known: ['mail', 'chat'] });
    expect(composeProfiles(second)).toEqual(['chat', 'mine']);
    expect(setCompose(second, { project: 'acme', profiles: ['chat'], known: ['mail', 'chat'] })).toEqual(second);
  });
});
