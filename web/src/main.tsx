import { createApp } from "vue";
import { work } from "./markdown/inline-stream.ts";
import { App } from "./ui/App.tsx";

createApp(App).mount("#app");

// Counters for tests and for the curious: how much was drawn and read again.
Object.defineProperty(globalThis, "millraceWork", { value: work });
