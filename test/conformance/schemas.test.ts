/**
 * Marathon's own JSON schemas of four generations, against the definitions we ship.
 *
 * The schemas are drafts without anything that later drafts changed, but for `$schema` naming none that Ajv knows.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ajv, type ValidateFunction } from 'ajv';
import { rendered } from '../support/catalog-package.ts';
import { ourDefinitions, ourJson, theirJson } from './other-projects.ts';

const ALL = ['v0.15.3', 'v1.3.14', 'v1.4.13', 'v1.5.15'];
const MODERN = ['v1.5.15'];

/** Which generations each definition is for; 1.6 and later have RAML instead, see raml.test.ts. */
const CLAIMS: Readonly<Record<string, readonly string[]>> = {
  'test/fixtures/letsencrypt-dcos.seed.json': ALL,
  'marathon/letsencrypt-dcos-marathon-1.4.json': ALL,
  'marathon/letsencrypt-dcos.json': MODERN,
  'marathon/letsencrypt-dcos-catch-all.json': MODERN,
  'marathon/letsencrypt-dcos-test-1.json': MODERN,
  'marathon/letsencrypt-dcos-test-2.json': MODERN,
  'marathon/letsencrypt-dcos-test-3.json': MODERN,
  'marathon/marathon-lb.json': MODERN,
  'marathon/marathon-lb-hardened.json': MODERN,
};

function schema(version: string): ValidateFunction {
  const { $schema: _, ...draft } = theirJson(`marathon/${version}/schema/AppDefinition.json`) as Record<
    string,
    unknown
  >;
  return new Ajv({ strict: false, allErrors: true, validateFormats: false }).compile(draft);
}

function objections(version: string, definition: unknown): readonly string[] {
  const validate = schema(version);
  validate(definition);
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    [instancePath, message, JSON.stringify(params)].join(' '),
  );
}

for (const [file, versions] of Object.entries(CLAIMS)) {
  for (const version of versions) {
    test(`Marathon ${version}'s schema takes ${file}`, () => {
      assert.deepEqual(objections(version, ourJson(file)), []);
    });
  }
}

test("Marathon v1.5.15's schema takes what the package of the catalog renders, with and without its options", () => {
  const least = { 'certificate.domains': 'www.example.com' };
  const more = {
    'marathon-lb.catch-all': true,
    'service.admin-token-secret': 'a/b',
    'certificate.ca-uri': 'https://x/ca',
  };
  for (const options of [least, { ...least, ...more }]) assert.deepEqual(objections('v1.5.15', rendered(options)), []);
});

test('every definition that is shipped claims a generation', () => {
  const claimed = Object.keys(CLAIMS).filter((file) => file.startsWith('marathon/'));
  assert.deepEqual(claimed.toSorted(), ourDefinitions().toSorted());
});

test('the schemas do refuse: an unknown field, the modern form for 0.15', () => {
  assert.notDeepEqual(objections('v1.5.15', { id: '/a', cmd: 'true', domains: 'a.example' }), []);
  assert.notDeepEqual(objections('v0.15.3', ourJson('marathon/letsencrypt-dcos.json')), []);
});
