/**
 * The part of Vue's public types that this project uses.
 *
 * A strict subset, so that the same sources also compile against Vue's own types where npm is at hand.
 */

declare const RefSymbol: unique symbol;

export interface Ref<T = unknown, S = T> {
  get value(): T;
  set value(_: S);
  readonly [RefSymbol]: true;
}
export interface ShallowRef<T = unknown> extends Ref<T> {
  readonly __shallow?: true;
}
export interface ComputedRef<T = unknown> extends Ref<T> {
  readonly value: T;
}
export type MaybeRef<T> = T | Ref<T>;
export type MaybeRefOrGetter<T> = MaybeRef<T> | (() => T);

export function ref<T>(value: T): Ref<T>;
export function shallowRef<T>(value: T): ShallowRef<T>;
export function triggerRef(ref: ShallowRef): void;
export function computed<T>(getter: () => T): ComputedRef<T>;
export function computed<T>(options: { get: () => T; set: (value: T) => void }): Ref<T>;
export function reactive<T extends object>(target: T): T;
export function shallowReactive<T extends object>(target: T): T;
export function markRaw<T extends object>(target: T): T;
export function unref<T>(value: MaybeRef<T>): T;
export function toValue<T>(value: MaybeRefOrGetter<T>): T;

export interface WatchOptions {
  immediate?: boolean;
  deep?: boolean;
  flush?: "pre" | "post" | "sync";
}
export type WatchStop = () => void;
export function watch<T>(
  source: Ref<T> | (() => T),
  callback: (value: T, previous: T | undefined, onCleanup: (fn: () => void) => void) => void,
  options?: WatchOptions,
): WatchStop;
export function watchEffect(effect: (onCleanup: (fn: () => void) => void) => void): WatchStop;

export interface EffectScope {
  run<T>(fn: () => T): T | undefined;
  stop(): void;
}
export function effectScope(detached?: boolean): EffectScope;
export function getCurrentScope(): EffectScope | undefined;
export function onScopeDispose(fn: () => void): void;

export function onMounted(fn: () => void): void;
export function onUpdated(fn: () => void): void;
export function onBeforeUnmount(fn: () => void): void;
export function onUnmounted(fn: () => void): void;
export function nextTick(fn?: () => void): Promise<void>;

export interface InjectionKey<T> extends Symbol {
  readonly __type?: T;
}
export function provide<T>(key: InjectionKey<T> | string, value: T): void;
export function inject<T>(key: InjectionKey<T> | string): T | undefined;
export function inject<T>(key: InjectionKey<T> | string, fallback: T): T;

export interface VNode {
  readonly __v_isVNode: true;
  readonly el: Node | null;
}
export type VNodeChild = VNode | string | number | boolean | null | undefined | VNodeChild[];

export interface Component<P> {
  new (): { $props: P };
}
export interface SetupContext {
  emit: (event: string, ...args: unknown[]) => void;
  attrs: Record<string, unknown>;
}
export function defineComponent<P extends object>(
  setup: (props: Readonly<P>, context: SetupContext) => () => VNodeChild,
  options: { name: string; props?: readonly (keyof P & string)[]; inheritAttrs?: boolean },
): Component<P & { key?: string | number; ref?: unknown; class?: unknown }>;

export const Fragment: unique symbol;
export const Teleport: Component<{ to: string; disabled?: boolean }>;
export function h(
  type: string | symbol | Component<never>,
  props?: object | null,
  ...children: unknown[]
): VNode;

export interface App {
  mount(target: string | Element): unknown;
  unmount(): void;
  provide<T>(key: InjectionKey<T> | string, value: T): App;
  config: {
    errorHandler?: (error: unknown, instance: unknown, info: string) => void;
    warnHandler?: (message: string, instance: unknown, trace: string) => void;
  };
}
export function createApp<P>(component: Component<P>, props?: P): App;
export const version: string;

declare global {
  namespace JSX {
    type Element = VNode;
    interface ElementClass {
      $props: object;
    }
    interface ElementAttributesProperty {
      $props: object;
    }
    interface IntrinsicElements {
      [name: string]: Record<string, unknown>;
    }
  }
}
