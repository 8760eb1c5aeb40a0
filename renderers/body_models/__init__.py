"""Body models behind one interface (`interface`): one file for each model, loaded by its name (`load`)."""
