// Who may import whom (docs/architecture.md). Each entry lists every folder that a layer may reach; all else fails the build.
const layers = {
  'src/base': [],
  'src/crypto': ['src/base'],
  'src/protocol': ['src/base', 'src/crypto'],
  'src/engine': ['src/base', 'src/crypto', 'src/protocol'],
  'src/contract': [],
  'src/node': ['src/base', 'src/crypto', 'src/protocol', 'src/engine', 'src/contract'],
  'src/kms/(?!http|storage)': ['src/base', 'src/crypto', 'src/protocol', 'src/kms/(?!http|storage)'],
  'src/kms/(http|storage)': ['src/base', 'src/crypto', 'src/protocol', 'src/node', 'src/kms'],
  'src/lab': ['src/base', 'src/crypto', 'src/protocol', 'src/engine', 'src/node', 'src/kms', 'src/contract'],
  'src/cli': ['src/base', 'src/crypto', 'src/protocol', 'src/engine', 'src/node', 'src/kms', 'src/contract', 'src/lab'],
  electron: ['src/base', 'src/crypto', 'src/protocol', 'src/engine', 'src/node', 'src/kms', 'src/contract', 'src/cli'],
  renderer: ['src/contract'],
};

// Inside protocol, siblings meet only where one format really contains the other.
const protocolContains = {
  mikey: [],
  cms: [],
  cpim: [],
  mime: ['cms', 'cpim', 'mikey'],
  xml: [],
  stun: [],
  imdn: ['cpim', 'xml'],
  composing: ['xml'],
  conference: ['xml'],
  digest: ['gba'],
  msrp: ['digest'],
  sdp: ['mikey'],
  sip: ['gba', 'digest'],
  gba: ['xml'],
  presence: ['xml'],
  vcard: [],
};

const layerRules = Object.entries(layers).map(([layer, allowed]) => ({
  name: `layer: ${layer}`,
  comment: 'A layer imports only the layers below it.',
  severity: 'error',
  from: { path: `^${layer}` },
  to: { path: '^(src|electron|renderer|test)/', pathNot: [`^${layer}`, ...allowed.map((folder) => `^${folder}`)] },
}));

const siblingRules = Object.entries(protocolContains).map(([format, contained]) => ({
  name: `protocol sibling: ${format}`,
  severity: 'error',
  from: { path: `^src/protocol/${format}/` },
  to: {
    path: '^src/protocol/[^/]+/',
    pathNot: [format, ...contained].map((sibling) => `^src/protocol/${sibling}/`),
  },
}));

const only = (name, module, from) => ({
  name,
  severity: 'error',
  from: { path: '^(src|electron|renderer)/', pathNot: from },
  to: { path: module },
});

module.exports = {
  forbidden: [
    ...layerRules,
    ...siblingRules,
    only(
      'only crypto imports ciphers',
      '^crypto$|^node:crypto$|(^|/)node_modules/(node-forge|@noble|@peculiar)/',
      '^src/crypto/',
    ),
    only('only electron imports electron', '((^|/)node_modules/electron/|^electron$)', '^electron/'),
    {
      name: 'sans-IO below node',
      comment: 'Sockets, files and processes belong to the adapters.',
      severity: 'error',
      from: { path: '^src/(base|protocol|engine|contract)/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'contract uses only types and zod',
      severity: 'error',
      from: { path: '^src/contract/' },
      to: { path: '(^|/)node_modules/', pathNot: '(^|/)node_modules/zod/' },
    },
    { name: 'no cycles', severity: 'error', from: { path: '^(src|electron|renderer)/' }, to: { circular: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.js', '.json'] },
  },
};
