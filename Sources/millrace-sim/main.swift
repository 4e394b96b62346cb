internal import Glibc
internal import Simulator

exit(SimulatorProgram.main())
