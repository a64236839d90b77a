  // ---- Other things in the places of the browser's own -------------------

  // What a replacement stands for: it looks like it to scripts that look.
  const natives = new WeakMap();
  const likeNative = (replacement, original) => {
    natives.set(replacement, original);
    for (const name of ["name", "length"]) {
      const property = Object.getOwnPropertyDescriptor(original, name);
      if (property) Object.defineProperty(replacement, name, property);
    }
    return replacement;
  };
  const wrap = (owner, name, make) => {
    const original = owner && owner[name];
    if (typeof original !== "function") return;
    const property = Object.getOwnPropertyDescriptor(owner, name) || { writable: true, configurable: true, enumerable: true };
    Object.defineProperty(owner, name, { ...property, value: likeNative(make(original), original) });
  };
  const wrapProperty = (owner, name, make) => {
    const property = owner && Object.getOwnPropertyDescriptor(owner, name);
    if (!property || !property.get || !property.configurable) return;
    const made = make(property);
    for (const side of ["get", "set"]) if (made[side] && property[side]) likeNative(made[side], property[side]);
    Object.defineProperty(owner, name, { ...property, ...made });
  };
  const wrapGetter = (owner, name, change) => {
    wrapProperty(owner && owner.prototype, name, ({ get }) => ({
      get() { return change(get.call(this), this); },
    }));
  };
  const wrapSetter = (owner, name, change) => {
    wrapProperty(owner && owner.prototype, name, ({ set }) => set ? {
      set(value) { set.call(this, change(value, this)); },
    } : {});
  };
  const replaceClass = (name, replacement) => {
    const original = self[name];
    if (typeof original !== "function") return;
    natives.set(replacement, original);
    const property = Object.getOwnPropertyDescriptor(self, name);
    Object.defineProperty(self, name, { ...property, value: replacement });
    Object.defineProperty(replacement.prototype, "constructor", { value: replacement, writable: true, configurable: true });
  };
  const wrapConstructor = (name, change) => {
    const original = self[name];
    if (typeof original !== "function") return;
    replaceClass(name, new Proxy(original, {
      construct: (target, args, as) => Reflect.construct(target, change(args), as),
    }));
  };
  wrap(Function.prototype, "toString", (original) => function () {
    return original.call(natives.get(this) || this);
  });

