# Enough of nixpkgs' `lib` to evaluate this project's modules where nixpkgs cannot be had. Written for this
# project; it knows the functions and types that nix/ uses and refuses everything else by not having it.
let
  inherit (builtins)
    all any attrNames attrValues concatLists concatMap concatStringsSep elem elemAt filter foldl'
    functionArgs genList hasAttr head isAttrs isBool isFloat isFunction isInt isList isPath isString
    length listToAttrs map mapAttrs match removeAttrs replaceStrings split substring stringLength toString;

  # -- properties: what mkIf, mkMerge and mkOverride wrap around a value ------------------------------
  kind = value: if isAttrs value then value._type or "" else "";

  # Move properties below an attribute set's keys, so that the keys are known before any condition is.
  spread = value:
    if kind value == "merge" then concatMap spread value.contents
    else if kind value == "if" then map (mapAttrs (_: lib.mkIf value.condition)) (spread value.content)
    else if kind value == "override" then map (mapAttrs (_: lib.mkOverride value.priority)) (spread value.content)
    else [ value ];

  # All values below the properties whose conditions hold, each with its priority.
  settle = priority: value:
    if kind value == "merge" then concatMap (settle priority) value.contents
    else if kind value == "if" then (if value.condition then settle priority value.content else [ ])
    else if kind value == "override" then settle value.priority value.content
    else [{ inherit priority value; }];

  # The values with the strongest (lowest) priority.
  winners = values:
    let
      settled = concatMap (settle 100) values;
      strongest = foldl' (least: each: if each.priority < least then each.priority else least) 9999 settled;
    in
    map (each: each.value) (filter (each: each.priority == strongest) settled);

  at = name: sets: map (set: set.${name}) (filter (hasAttr name) sets);
  names = sets: attrNames (foldl' (sum: set: sum // set) { } sets);
  dotted = concatStringsSep ".";

  # -- types: name, check of one value, merge of several ---------------------------------------------
  one = where: values:
    if all (value: value == head values) values then head values
    else throw "The option `${dotted where}' has conflicting definition values";
  scalar = name: check: { inherit name check; merge = one; };
  resolve = type: where: values:
    let wrong = filter (value: !type.check value) values; in
    if wrong == [ ] then type.merge where values
    else throw "A definition for option `${dotted where}' is not of type `${type.name}'. Definition value: ${builtins.toJSON (head wrong)}";
  resolveKeys = where: sets: resolved:
    listToAttrs (concatMap
      (name: let live = winners (at name sets); in
        if live == [ ] then [ ] else [{ inherit name; value = resolved (where ++ [ name ]) live; }])
      (names sets));

  types = rec {
    bool = scalar "boolean" isBool;
    int = scalar "signed integer" isInt;
    number = scalar "signed integer or floating point number" (value: isInt value || isFloat value);
    str = scalar "string" isString;
    strMatching = pattern: scalar "string matching the pattern ${pattern}" (value: isString value && match pattern value != null);
    path = scalar "absolute path" (value: (isPath value || isString value || value ? outPath) && substring 0 1 (toString value) == "/");
    package = scalar "package" (value: isAttrs value && value.type or "" == "derivation");
    enum = choices: scalar "one of ${builtins.toJSON choices}" (value: elem value choices);
    ints.between = low: high: scalar "integer between ${toString low} and ${toString high} (both inclusive)" (value: isInt value && low <= value && value <= high);
    port = ints.between 0 65535;
    nullOr = inner: {
      name = "null or ${inner.name}";
      check = value: value == null || inner.check value;
      merge = where: values: if all (value: value == null) values then null else resolve inner where values;
    };
    listOf = inner: {
      name = "list of ${inner.name}";
      check = isList;
      merge = where: values:
        let flat = concatLists values; in
        genList (index: resolve inner (where ++ [ "[definition ${toString (index + 1)}]" ]) [ (elemAt flat index) ]) (length flat);
    };
    nonEmptyListOf = inner: listOf inner // {
      name = "non-empty (list of ${inner.name})";
      check = value: isList value && value != [ ];
    };
    either = left: right: {
      name = "${left.name} or ${right.name}";
      check = value: left.check value || right.check value;
      merge = where: values: resolve (if all left.check values then left else right) where values;
    };
    attrsOf = inner: {
      name = "attribute set of ${inner.name}";
      check = isAttrs;
      merge = where: sets: resolveKeys where sets (resolve inner);
    };
    anything = {
      name = "anything";
      check = _: true;
      merge = where: values:
        if all (value: isAttrs value && value.type or "" != "derivation") values
        then resolveKeys where values anything.merge
        else if all isList values then concatLists values
        else one where values;
    };
    submodule = module: {
      name = "submodule";
      check = isAttrs;
      merge = where: values: (evalModules { modules = [ module ] ++ map (config: { inherit config; }) values; prefix = where; }).config;
    };
  };

  # -- modules -----------------------------------------------------------------------------------------
  evalModules = { modules, prefix ? [ ] }:
    let
      argument = name:
        if name == "lib" then lib
        else if name == "config" then config
        else
          let given = concatMap (module: lib.optional (module._module.args or { } ? ${name}) module._module.args.${name}) loaded; in
          if given == [ ] then throw "module argument `${name}' is not set" else head given;

      load = module:
        let
          loose = if isPath module then import module else module;
          value = if isFunction loose then loose (mapAttrs (name: _: argument name) (functionArgs loose)) else loose;
          plain = value ? config || value ? options;
        in
        concatMap load (value.imports or [ ]) ++ [{
          _module = value._module or { };
          options = value.options or { };
          config = if plain then value.config or { } else removeAttrs value [ "imports" "_module" "freeformType" ];
          freeform = if value ? freeformType then [ value.freeformType ] else [ ];
        }];

      loaded = concatMap load modules;
      freeform = concatMap (module: module.freeform) loaded;

      declare = where: left: right: left // mapAttrs
        (name: option:
          if !(left ? ${name}) then option
          else if kind option == "option" || kind left.${name} == "option"
          then throw "The option `${dotted (where ++ [ name ])}' is already declared"
          else declare (where ++ [ name ]) left.${name} option)
        right;

      evaluate = where: options: sets:
        let
          strangers = filter (name: !(options ? ${name})) (names sets);
          known = mapAttrs
            (name: option:
              let here = where ++ [ name ]; given = at name sets; in
              if kind option == "option" then value here option given
              else evaluate here option (concatMap spread given))
            options;
          free = map (set: removeAttrs set (attrNames options)) sets;
        in
        if strangers == [ ] then known
        else if freeform != [ ] then resolve (head freeform) where free // known
        else throw "The option `${dotted (where ++ [ (head strangers) ])}' does not exist";

      value = where: option: given:
        let live = winners (given ++ (if option ? default then [ (lib.mkOverride 1500 option.default) ] else [ ])); in
        if live == [ ] then throw "The option `${dotted where}' was accessed but has no value defined"
        else resolve option.type where live;

      config = evaluate prefix (foldl' (declare prefix) { } (map (module: module.options) loaded))
        (concatMap (module: spread module.config) loaded);
    in
    { inherit config; };

  lib = {
    inherit types evalModules all any attrNames attrValues concatMap concatStringsSep elem filter mapAttrs;
    mkOption = option: option // { _type = "option"; };
    mkEnableOption = what: lib.mkOption { type = types.bool; default = false; description = "Whether to enable ${what}."; };
    mkPackageOption = pkgs: name: _: lib.mkOption { type = types.package; default = pkgs.${name}; description = "The ${name} package to use."; };
    mkIf = condition: content: { _type = "if"; inherit condition content; };
    mkMerge = contents: { _type = "merge"; inherit contents; };
    mkOverride = priority: content: { _type = "override"; inherit priority content; };
    mkDefault = lib.mkOverride 1000;
    mkForce = lib.mkOverride 50;
    literalExpression = text: text;
    optional = condition: value: if condition then [ value ] else [ ];
    optionalAttrs = condition: set: if condition then set else { };
    genAttrs = keys: make: listToAttrs (map (name: { inherit name; value = make name; }) keys);
    filterAttrsRecursive = keep: set: listToAttrs (concatMap
      (name: let value = set.${name}; in
        if !keep name value then [ ]
        else [{ inherit name; value = if isAttrs value then lib.filterAttrsRecursive keep value else value; }])
      (attrNames set));
    splitString = separator: text: filter isString (split (replaceStrings [ "." ] [ "\\." ] separator) text);
    last = list: elemAt list (length list - 1);
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    toInt = text: builtins.fromJSON text;
    getExe' = package: program: "${package}/bin/${program}";
    licenses.asl20 = "asl20";
    platforms.linux = [ "x86_64-linux" "aarch64-linux" ];
  };
in
lib
