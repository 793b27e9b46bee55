// Makes the component {{stage}}.wasm of app.js: `npm run build`.

import { writeFile } from 'node:fs/promises';

import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize({
  sourcePath: 'app.js',
  witPath: 'wit',
  worldName: '{{stage}}',
  // A stage is given none of these, so the engine is built without them.
  disableFeatures: ['clocks', 'fetch-event', 'http', 'random', 'stdio'],
});
await writeFile('{{stage}}.wasm', component);
console.log(`{{stage}}.wasm: ${component.length} bytes`);
