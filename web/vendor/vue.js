/* @ts-self-types="./vue.d.ts" */
export * from "./vue-3.5.22.js";
