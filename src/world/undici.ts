// undici's parts that we use. Rule: loaded lazily, through this module, and by their files: the whole library, with fetch and more, takes twice as long to load.
import api from 'undici/lib/api/index.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';
import EnvHttpProxyAgent from 'undici/lib/dispatcher/env-http-proxy-agent.js';

Object.assign(Dispatcher.prototype, api); // as undici's main module does: `request` for us, `connect` for its own proxy agent

export { Agent, EnvHttpProxyAgent };
