import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';

const require = createRequire(createRequire(import.meta.url).resolve('electron-builder'));
const { validateSchema } = require('app-builder-lib/out/util/config/schemaValidator.js') as {
  validateSchema(schema: unknown, data: unknown): void;
};
const schema: unknown = require('app-builder-lib/scheme.json');
const configuration = (): Record<string, unknown> =>
  JSON.parse(readFileSync('build/electron-builder.json', 'utf8')) as Record<string, unknown>;

test('the packaging configuration is one that electron-builder takes', () => {
  expect(() => validateSchema(schema, configuration())).not.toThrow();
});

test('the validator does refuse: an unknown key is an error', () => {
  expect(() => validateSchema(schema, { ...configuration(), noSuchKey: true })).toThrow(/noSuchKey/);
});

test('the packaged binary cannot be turned into a plain Node or told to open a debugger', () => {
  expect(configuration()['electronFuses']).toMatchObject({
    runAsNode: false,
    enableNodeOptionsEnvironmentVariable: false,
    enableNodeCliInspectArguments: false,
    onlyLoadAppFromAsar: true,
    enableEmbeddedAsarIntegrityValidation: true,
  });
});
