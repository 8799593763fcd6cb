// undici's parts that we use. Rule: loaded lazily, through this module, for a bundler cannot name the exports of CommonJS behind `import()`.
export { Agent, EnvHttpProxyAgent, request } from 'undici';
